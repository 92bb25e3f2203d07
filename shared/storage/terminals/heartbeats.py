"""Heartbeats: a counter for each running worker, on a connection of its own.

On SQLite the counters are in a file of their own, because payments could delay them otherwise.
"""

from dataclasses import dataclass
from typing import Any

from shared.storage.db.connections.urls import heartbeats_url
from shared.storage.db.engine import Database
from shared.storage.db.opening import open_database
from shared.storage.db.statement import Statement

#: `tables.WorkerRow` in words, since the tables are loaded by migrations alone.
CREATE_ON_SQLITE = Statement(
    "CREATE TABLE IF NOT EXISTS workers (id TEXT NOT NULL, counter BIGINT NOT NULL, beaten_at BIGINT,"
    " host TEXT, version TEXT, PRIMARY KEY (id))"
)
_REGISTER = Statement(
    "INSERT INTO workers (id, counter, beaten_at, host, version)"
    " VALUES (:worker, 0, {now}, CAST(:host AS TEXT), CAST(:version AS TEXT))"
)
_BEAT = Statement(
    "UPDATE workers SET counter = counter + 1, beaten_at = {now} WHERE id = :worker RETURNING counter"
)
_LEAVE = Statement("DELETE FROM workers WHERE id = :worker")
_COUNTER = Statement("SELECT counter FROM workers WHERE id = :worker")
_COUNTERS = Statement("SELECT id, counter FROM workers")
_WORKERS = Statement("SELECT id, counter, host, version FROM workers")
_SILENT = Statement(
    "SELECT id, beaten_at, host, version FROM workers WHERE beaten_at < {now} - :silent_ms"
    " ORDER BY beaten_at, id"
)


@dataclass(frozen=True, slots=True)
class RunningWorker:
    """A worker's counter, its machine or container, and its release."""

    counter: int
    host: str | None
    version: str | None


@dataclass(frozen=True, slots=True)
class SilentWorker:
    """A worker that ended without a farewell, or hangs; `beaten_at` is the time of its last heartbeat."""

    id: str
    beaten_at: int
    host: str | None
    version: str | None


class Heartbeats:
    """The table `workers`; a worker inserts its row before its first claim and deletes it when it ends."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @staticmethod
    async def open(database_url: str, **options: Any) -> "Heartbeats":
        """Connect; on SQLite create the missing file. Raises DatabaseUnavailable."""
        heartbeats = Heartbeats(open_database(heartbeats_url(database_url), pool_size=1, **options))
        if heartbeats._database.dialect == "sqlite":
            # Nothing in this file outlives its processes, so it has no migrations.
            await heartbeats._database.write(lambda tx: tx.run(CREATE_ON_SQLITE))
        return heartbeats

    async def register(self, worker: str, host: str | None = None, version: str | None = None) -> None:
        """Insert the worker's row; `host` and `version` are for operators alone."""
        await self._database.write(lambda tx: tx.run(_REGISTER, worker=worker, host=host, version=version))

    async def beat(self, worker: str) -> bool:
        """Raise the counter; False: the row is gone, because others consider this worker dead, and it has to
        end."""
        row = await self._database.write(lambda tx: tx.one(_BEAT, worker=worker))
        return row is not None

    async def leave(self, worker: str) -> None:
        await self._database.write(lambda tx: tx.run(_LEAVE, worker=worker))

    async def counters(self) -> dict[str, int]:
        """Return every worker's counter."""
        rows = await self._database.read(lambda tx: tx.all(_COUNTERS))
        return {row.id: row.counter for row in rows}

    async def workers(self) -> dict[str, RunningWorker]:
        """Return every worker by its id."""
        rows = await self._database.read(lambda tx: tx.all(_WORKERS))
        return {row.id: RunningWorker(row.counter, row.host, row.version) for row in rows}

    async def silent(self, seconds: float) -> list[SilentWorker]:
        """Return the workers without a heartbeat for so long by the database's clock, for operators to look
        at: locks are taken over by the counters alone."""
        rows = await self._database.read(lambda tx: tx.all(_SILENT, silent_ms=round(seconds * 1000)))
        return [SilentWorker(row.id, row.beaten_at, row.host, row.version) for row in rows]

    async def counter(self, worker: str) -> int | None:
        """Return one worker's counter; None: it has no row, because it ended or never ran."""
        row = await self._database.read(lambda tx: tx.one(_COUNTER, worker=worker))
        return None if row is None else int(row.counter)

    async def close(self) -> None:
        await self._database.close()
