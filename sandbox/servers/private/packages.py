"""Debian packages, unpacked into a folder without an installation: no service, no user."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from sandbox.servers.server import SourceMissing, say

LISTS = Path("/var/lib/apt/lists")
COMMAND_SECONDS = 300
# Just-in-time compilation is off and needs 100 MB of libraries.
UNWANTED_LIBRARIES = ("libllvm",)


def known_packages(pattern: str) -> list[str]:
    """Return the names of the packages that apt can fetch and whose whole name matches the pattern.

    Refreshes the package lists first when there are none and we are root. Raises SourceMissing where there
    is no apt, or no lists.
    """
    for command in ("apt-get", "apt-cache", "dpkg-deb"):
        if shutil.which(command) is None:
            raise SourceMissing(f"this is not a Debian: the command {command} is missing")
    if not any(LISTS.glob("*_Packages*")):
        _refresh_lists()
    return [name for name in _search(f"^({pattern})$") if re.fullmatch(pattern, name)]


def unpack(packages: list[str], into: Path) -> None:
    """Fetch the packages and unpack them into the folder; raise SourceMissing when they cannot be fetched."""
    archives = into / "archives"
    archives.mkdir()
    try:
        _fetch(packages, archives)
        for archive in sorted(archives.iterdir()):
            _run(["dpkg-deb", "--extract", str(archive), str(into)])
    finally:
        shutil.rmtree(archives)


def add_missing_libraries(packages: list[str], into: Path, programs: str) -> None:
    """Unpack the packages' library dependencies where a program of this pattern lacks a shared library."""
    if not _wants_libraries(into, programs):
        return
    shape = "--recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances"
    dependencies = _output(["apt-cache", "depends", *shape.split(), *packages])
    libraries = set(re.findall(r"^(lib\S+)$", dependencies, re.MULTILINE))
    installed = set(_output(["dpkg-query", "--show", "--showformat=${Package}\n"]).split())
    missing = sorted(
        name for name in libraries - installed if not name.lower().startswith(UNWANTED_LIBRARIES)
    )
    if missing:
        unpack(missing, into)


def library_path(folder: Path) -> str:
    """Return LD_LIBRARY_PATH for programs unpacked into the folder; empty when no library came along."""
    folders = [*folder.glob("usr/lib/*-linux-gnu*"), *folder.glob("lib/*-linux-gnu*")]
    return ":".join(str(path) for path in sorted(folders))


def _wants_libraries(folder: Path, programs: str) -> bool:
    environment = {**os.environ, "LD_LIBRARY_PATH": library_path(folder)}
    return any("not found" in _output(["ldd", str(path)], environment) for path in folder.glob(programs))


def _search(pattern: str) -> list[str]:
    lines = _output(["apt-cache", "search", "--names-only", pattern]).splitlines()
    return [line.split(" - ")[0] for line in lines]


def _fetch(packages: list[str], into: Path) -> None:
    # As root apt would fetch as the user _apt, who may not enter the folder.
    command = ["apt-get", "--quiet", "-o", "APT::Sandbox::User=root", "download", *packages]
    try:
        _run(command, into)
    except subprocess.CalledProcessError:
        _refresh_lists()  # lists of last month name versions that the archive has dropped
        try:
            _run(command, into)
        except subprocess.CalledProcessError as error:
            raise SourceMissing(f"apt-get could not fetch the packages:\n{error.output.strip()}") from error


def _refresh_lists() -> None:
    if os.geteuid() != 0:
        raise SourceMissing("apt's package lists are missing or out of date: sudo apt-get update")
    say("refreshing apt's package lists ...")
    try:
        _run(["apt-get", "--quiet", "update"])
    except subprocess.CalledProcessError as error:
        raise SourceMissing(f"apt-get update failed:\n{error.output.strip()}") from error


def _run(command: list[str], folder: Path | None = None) -> None:
    subprocess.run(
        command,
        cwd=folder,
        check=True,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=COMMAND_SECONDS,
    )


def _output(command: list[str], environment: dict[str, str] | None = None) -> str:
    environment = {**(environment or os.environ), "LC_ALL": "C"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout
