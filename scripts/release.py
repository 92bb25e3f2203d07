"""Release steps that change or check files: `python scripts/release.py begin 0.2.0`, `check`, `sums`.

The version is `pyproject.toml`'s. `begin` writes a new one wherever the old one stands; `check` compares all.
"""

import hashlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
CHANGELOG: Final = "CHANGELOG.md"
#: Other places of the version, by file: the text around it.
PLACES: Final = {
    "clients/python/pyproject.toml": r'(?m)(?<=^version = ")@@(?="$)',
    "Dockerfile": r"(?m)(?<=^ARG VERSION=)@@$",
    "deploy/kubernetes/kustomization.yaml": r"(?<=newTag: )@@\b",
    "docs/operations/kubernetes.md": r"(?<=cloud-terminal:)@@\b",
}
_OWN_PLACE: Final = r'(?m)(?<=^version = ")@@(?="$)'
_ANY: Final = r"\d+\.\d+\.\d+"
_UNRELEASED: Final = re.compile(r"^## Unreleased\n(?P<entries>.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)


class NotReady(Exception):
    """Raised where a release cannot be made; its text says why."""


def version(root: Path = ROOT) -> str:
    found: str = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    return found


def problems(root: Path = ROOT) -> list[str]:
    """Return the places that do not have the version, and those that have none at all."""
    wanted, found = version(root), []
    for name, pattern in PLACES.items():
        versions = set(re.findall(pattern.replace("@@", _ANY), (root / name).read_text()))
        if versions != {wanted}:
            found.append(f"{name} has {', '.join(sorted(versions)) or 'no version'}, not {wanted}")
    return found


def begin(new: str, root: Path = ROOT, *, today: str) -> None:
    """Write the new version everywhere, and give the changelog's entries its heading. Raises NotReady."""
    if not re.fullmatch(_ANY, new) or _numbers(new) <= _numbers(version(root)):
        raise NotReady(f"{new} does not follow {version(root)}")
    changelog = (root / CHANGELOG).read_text()
    unreleased = _UNRELEASED.search(changelog)
    if unreleased is None or not unreleased["entries"].strip():
        raise NotReady(f"{CHANGELOG} has nothing under '## Unreleased'")
    heading = f"## Unreleased\n\n## {new} ({today})\n{unreleased['entries']}"
    (root / CHANGELOG).write_text(changelog.replace(unreleased[0], heading))
    for name, pattern in {"pyproject.toml": _OWN_PLACE, **PLACES}.items():
        file = root / name
        file.write_text(re.sub(pattern.replace("@@", _ANY), new, file.read_text()))


def check(root: Path = ROOT) -> None:
    """Check that everything is committed and says the same version. Raises NotReady."""
    found = problems(root)
    if f"## {version(root)} (" not in (root / CHANGELOG).read_text():
        found.append(f"{CHANGELOG} has no heading '## {version(root)} (...)': make release-begin VERSION=...")
    if _git(root, "status", "--porcelain"):
        found.append("not everything is committed")
    if _git(root, "tag", "--list", f"v{version(root)}"):
        found.append(f"the tag v{version(root)} exists")
    if found:
        raise NotReady("\n".join(found))


def sums(root: Path = ROOT) -> str:
    """Return the checksums of what is in dist/, as `sha256sum --check` reads them."""
    files = sorted(path for path in (root / "dist").iterdir() if path.suffix in (".whl", ".json"))
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True)  # noqa: S603, S607
    return done.stdout.strip()


def main(verb: str, *arguments: str) -> None:
    today = datetime.now(UTC).date().isoformat()
    verbs: dict[str, Callable[[], object]] = {
        "begin": lambda: begin(arguments[0], today=today),
        "check": check,
        "sums": lambda: (ROOT / "dist" / "SHA256SUMS").write_text(sums()),
        "version": lambda: sys.stdout.write(version() + "\n"),
    }
    try:
        verbs[verb]()
    except NotReady as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
