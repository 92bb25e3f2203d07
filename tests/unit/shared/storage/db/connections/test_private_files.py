"""An embedded database is its owner's alone."""

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from eventually import eventually
from payments import change, rows

from shared.settings.settings import Settings
from shared.storage.db.opening import open_database, opened_database
from shared.storage.db.schema.migrate import migrate_database
from shared.storage.terminals.heartbeats import Heartbeats


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def open_to_others(file: Path, folder: Path) -> None:
    file.chmod(0o644)
    folder.chmod(0o755)


def url_of(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """Set the umask of most systems: others may read."""
    before = os.umask(0o022)
    yield
    os.umask(before)


async def test_files_and_folder_are_made_for_their_owner(tmp_path: Path) -> None:
    """By the migration, before a byte is in them; SQLite's own files beside them, and the heartbeats'."""
    path = tmp_path / "deep" / "data" / "cloud-terminal.db"
    settings = Settings(database_url=url_of(path))

    await migrate_database(settings)

    assert mode(path.parent) == 0o700
    async with opened_database(settings) as database:
        await change(database, "CREATE TABLE t (a)")
        heartbeats = await Heartbeats.open(url_of(path))
        files = sorted(path.parent.iterdir())
        assert {file.suffix for file in files} >= {".db", ".db-wal", ".db-shm"}
        assert {mode(file) for file in files} == {0o600}
        await heartbeats.close()


async def test_the_mode_of_an_open_file_is_tightened(tmp_path: Path) -> None:
    """With a warning; its folder, which may have other uses, gets the warning alone."""
    path = tmp_path / "cloud-terminal.db"
    settings = Settings(database_url=url_of(path))
    await migrate_database(settings)
    open_to_others(path, tmp_path)

    with structlog.testing.capture_logs() as logged:
        async with opened_database(settings):
            assert mode(path) == 0o600

    assert mode(tmp_path) == 0o755
    assert [line["event"] for line in logged] == [
        "database file was open to other users",
        "database folder is open to other users",
    ]


async def test_a_missing_folder_is_not_made_by_opening(tmp_path: Path) -> None:
    """Only the migration makes one: a wrong path is reported."""
    database = open_database(url_of(tmp_path / "nowhere" / "x.db"))

    with pytest.raises(Exception, match="unable to open"):
        await rows(database, "SELECT 1")

    assert not (tmp_path / "nowhere").exists()
    await database.close()
    # The driver does not wait for the thread of a connection that could not be opened, which needs the loop.
    await eventually(lambda: not [one for one in threading.enumerate() if "connection_worker" in one.name])
