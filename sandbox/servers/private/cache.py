"""Cache of unpacked programs: a folder is complete or absent, for any number of processes at once."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.servers.server import SourceMissing

STAMP = "COMPLETE"


def cache_folder() -> Path:
    """Return the folder of unpacked programs: `.cache/servers` of the checkout, else the user's cache.

    Its path has no white space: the start scripts of RabbitMQ and Erlang do not quote it.
    """
    checkout = Path(__file__).resolve().parents[3]
    user_cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cloud-terminal"
    folders = [user_cache / "servers"]
    if (checkout / "pyproject.toml").exists():
        folders.insert(0, checkout / ".cache" / "servers")
    for folder in folders:
        if not any(character.isspace() for character in str(folder)):
            return folder
    raise SourceMissing(f"RabbitMQ cannot run from a path with white space: {folders[0]}")


def complete_folder(folder: Path, fill: Callable[[Path, Path], None]) -> Path:
    """Return `folder`, filled by `fill(temporary, final)` if it is not there, or was moved since.

    `fill` works in a temporary neighbour that is renamed at the end, so an interruption leaves no partial
    folder. One process fills under a lock, the others wait for it.
    """
    if _is_complete(folder):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SourceMissing(f"no place to unpack programs: {error}") from error
    with _locked(folder.parent / f".{folder.name}.lock"):
        if _is_complete(folder):
            return folder
        for remains in folder.parent.glob(f".{folder.name}-*"):
            shutil.rmtree(remains)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            temporary.chmod(0o755)  # servers of root run from here as another user
            fill(temporary, folder)
            (temporary / STAMP).write_text(str(folder))
            shutil.rmtree(folder, ignore_errors=True)
            temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _is_complete(folder: Path) -> bool:
    # The programs know their own absolute path, so a checkout that was moved unpacks again.
    stamp = folder / STAMP
    return stamp.exists() and stamp.read_text() == str(folder)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        lock = path.open("w")
    except OSError as error:
        raise SourceMissing(f"no place to unpack programs: {error}") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
