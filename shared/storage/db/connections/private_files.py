"""File modes of an embedded database: its owner's alone, since it holds clients' data and hashes of
secrets."""

import os
import stat
from pathlib import Path
from typing import Final

import structlog

_FILE_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700
#: Suffixes of the files that SQLite makes beside a database, with its mode.
_BESIDE: Final = ("", "-wal", "-shm", "-journal")

_log = structlog.get_logger()


def make_private_folder(folder: Path) -> None:
    """Make the folder where it is missing, for its owner alone; folders above it have the usual mode."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)


def make_private(database: Path) -> None:
    """Make the database's file for its owner alone before SQLite would; tighten one that others can open.

    Nothing is made where there is no folder for it. A file of another owner is left and warned of.
    """
    try:
        os.close(os.open(database, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _FILE_MODE))
    except FileExistsError:
        for end in _BESIDE:
            _tighten(database.with_name(database.name + end))
    except OSError:
        return  # SQLite reports it itself


def warn_of_open_folder(database: Path) -> None:
    """Log if others can read the database's folder, which may be meant for more than the database."""
    folder = database.absolute().parent
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & ~_FOLDER_MODE:
        _log.warning("database folder is open to other users", folder=str(folder), mode=f"{mode:04o}")


def _tighten(path: Path) -> None:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & ~_FILE_MODE:
            path.chmod(mode & _FILE_MODE)
            _log.warning("database file was open to other users", file=str(path), mode=f"{mode:04o}")
    except FileNotFoundError:
        return
    except OSError as error:
        _log.warning("database file is open to other users", file=str(path), error=error.strerror)
