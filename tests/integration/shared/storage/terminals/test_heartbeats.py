"""The workers' counters, on SQLite in a file of their own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from databases import Store
from races.interleaving import open_transaction
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable

from shared.storage.db.connections.urls import heartbeats_url
from shared.storage.db.engine import Database
from shared.storage.terminals.heartbeats import CREATE_ON_SQLITE, Heartbeats
from shared.storage.terminals.tables import WorkerRow


@pytest.fixture
async def heartbeats(store: Store) -> AsyncIterator[Heartbeats]:
    opened = await Heartbeats.open(store.url)
    yield opened
    await opened.close()


async def test_a_counter_moves_with_every_beat(heartbeats: Heartbeats, store: Store) -> None:
    """Another process reads each worker's current counter."""
    await heartbeats.register("worker-1")
    await heartbeats.register("worker-2")
    assert await heartbeats.beat("worker-1")
    assert await heartbeats.beat("worker-1")

    observer = await Heartbeats.open(store.url)
    try:
        assert await observer.counters() == {"worker-1": 2, "worker-2": 0}
    finally:
        await observer.close()


async def test_the_heartbeat_of_a_worker_without_a_row_fails(heartbeats: Heartbeats) -> None:
    """Others consider it dead: it has to end itself, and another beat does not bring its row back."""
    assert not await heartbeats.beat("worker-1")
    await heartbeats.register("worker-1")
    await heartbeats.leave("worker-1")

    assert not await heartbeats.beat("worker-1")
    assert await heartbeats.counters() == {}


async def test_on_sqlite_a_long_payment_transaction_delays_no_heartbeat(sqlite_store: Store) -> None:
    """The counters are in another file, so a writer of payments never makes a worker look dead."""
    database: Database = sqlite_store.open()
    heartbeats = await Heartbeats.open(sqlite_store.url)
    try:
        await heartbeats.register("worker-1")
        async with open_transaction(database):
            assert await heartbeats.beat("worker-1")
        path = Path(sqlite_store.url.removeprefix("sqlite+aiosqlite:///"))
        assert (path.parent / "cloud-terminal-heartbeats.db").exists()
    finally:
        await heartbeats.close()
        await database.close()


def test_heartbeats_are_beside_the_database() -> None:
    """Beside the file on SQLite, in the same database on PostgreSQL."""
    assert heartbeats_url("sqlite+aiosqlite:///data/cloud-terminal.db") == (
        "sqlite+aiosqlite:///data/cloud-terminal-heartbeats.db"
    )
    assert heartbeats_url("sqlite+aiosqlite:////var/shop") == "sqlite+aiosqlite:////var/shop-heartbeats.db"
    assert heartbeats_url("postgresql+asyncpg://u:p@h/d") == "postgresql+asyncpg://u:p@h/d"


def test_the_file_of_heartbeats_has_the_table_of_the_schema() -> None:
    """Its statement is written out, since processes do not load the tables."""
    create = CreateTable(WorkerRow.metadata.tables["workers"], if_not_exists=True)

    assert " ".join(CREATE_ON_SQLITE.on("sqlite").split()) == " ".join(
        str(create.compile(dialect=sqlite.dialect())).replace("(\n\t", "(").replace("\n)", ")").split()
    )
