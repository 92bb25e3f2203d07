"""A release: one version everywhere, a changelog with a heading, wheels with every file."""

import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest

REPOSITORY: Final = Path(__file__).parents[2]


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release", REPOSITORY / "scripts/release.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


release: Any = _script()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy the files that a release changes; the changelog has something new, also right after a release."""
    for name in ("pyproject.toml", *release.PLACES):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / name, tmp_path / name)
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\n## Unreleased\n- New.\n\n## 0.0.1 (2026-01-01)\n- Old.\n"
    )
    return tmp_path


def test_every_place_has_the_version_of_the_project() -> None:
    """Wheels, image, manifests and pages."""
    assert release.problems() == []


def test_a_new_version_is_written_everywhere_and_heads_the_changelog(copy: Path) -> None:
    """The unreleased part becomes the release's."""
    release.begin("7.8.9", copy, today="2026-03-05")

    assert release.version(copy) == "7.8.9"
    assert release.problems(copy) == []
    changelog = (copy / "CHANGELOG.md").read_text()
    assert "## Unreleased\n\n## 7.8.9 (2026-03-05)\n- New.\n\n## 0.0.1" in changelog
    assert changelog.count("## Unreleased") == 1
    with pytest.raises(release.NotReady, match="nothing under"):
        release.begin("7.9.0", copy, today="2026-03-06")


@pytest.mark.parametrize("new", ["0.0.1", "0.1.0", "next", "1.0"])
def test_a_version_that_does_not_follow_is_refused(copy: Path, new: str) -> None:
    with pytest.raises(release.NotReady):
        release.begin(new, copy, today="2026-03-05")


def test_the_wheels_have_every_file_of_their_packages(tmp_path: Path) -> None:
    """Templates, styles and `py.typed`, too: what is missing in a wheel fails at the user's."""
    for project, packages in (
        (REPOSITORY, ("api", "terminal_worker", "notifier_worker", "shared", "sandbox", "cli")),
        (REPOSITORY / "clients/python", ("cloud_terminal_client",)),
    ):
        folder = tmp_path / project.name
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
        subprocess.run(command, cwd=project, check=True, capture_output=True)
        (wheel,) = folder.glob("*.whl")
        packed = set(zipfile.ZipFile(wheel).namelist())
        listed = subprocess.run(
            ["git", "ls-files", *packages], cwd=project, check=True, capture_output=True, text=True
        ).stdout

        assert set(listed.split()) - packed == set()
