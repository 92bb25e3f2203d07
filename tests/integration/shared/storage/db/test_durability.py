"""A server that does not write through to the disk is refused at start."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.servers.private import postgres
from sandbox.servers.private.children import Child
from sandbox.servers.start import find_server
from shared.storage.db.opening import check_durability, open_database


@pytest.fixture
def careless_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server that runs without fsync."""

    def careless(name: str, command: list[str], **given: Any) -> Child:
        return Child(name, [part.replace("fsync=on", "fsync=off") for part in command], **given)

    monkeypatch.setattr(postgres, "Child", careless)
    # Below /tmp: the account that PostgreSQL runs as cannot enter pytest's own folders.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o711)
        server = find_server("postgres", ("installed", "unpacked"), Path(folder) / "postgres")
        try:
            server.launch()
            server.wait_ready()
            yield server.url
        finally:
            server.remove()


async def test_postgresql_without_fsync_is_reported(careless_url: str) -> None:
    """A power cut could lose what was confirmed, however each transaction is committed."""
    database = open_database(careless_url)
    try:
        problem = await check_durability(database)
    finally:
        await database.close()

    assert problem == "PostgreSQL runs with fsync = off"
