"""Two transactions in a chosen order: one is paused at a named statement while the other runs.

The functions under test are the product's own; the pause sits between them and PostgreSQL.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from payments import rows
from races.watched_connections import Sent, watched

from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement

Result = TypeVar("Result")

#: No step of a test takes this long; what does is stuck.
STUCK_SECONDS = 5.0


class Pause:
    """A pause of one process's transaction the first time that it comes to a point, until `go`."""

    def __init__(self) -> None:
        self._reached = asyncio.Event()
        self._go = asyncio.Event()

    async def reached(self) -> None:
        """Wait until the transaction stands at the point."""
        async with asyncio.timeout(STUCK_SECONDS):
            await self._reached.wait()

    def go(self) -> None:
        """End the pause."""
        self._go.set()

    async def hold(self) -> None:
        if not self._reached.is_set():
            self._reached.set()
            await self._go.wait()


@contextmanager
def paused_before(database: Database, statement: Statement) -> Iterator[Pause]:
    """Pause `database` before it sends the statement for the first time."""
    pause = Pause()

    async def before(sent: Sent) -> None:
        if sent.statement is statement:
            await pause.hold()

    with _watched(database, pause, before_statement=before):
        yield pause


@contextmanager
def paused_before_commit(database: Database) -> Iterator[Pause]:
    """Pause `database` with everything of its next transaction done but the COMMIT."""
    pause = Pause()
    with _watched(database, pause, before_commit=pause.hold):
        yield pause


@contextmanager
def _watched(database: Database, pause: Pause, **hooks: Any) -> Iterator[None]:
    with watched(database, **hooks):
        try:
            yield
        finally:
            pause.go()


@asynccontextmanager
async def open_transaction(database: Database) -> AsyncIterator[Transaction]:
    """Yield a transaction of the test's own, which is rolled back at the block's end."""
    async with database._writer.connect() as connection:
        await connection.begin()
        yield Transaction(connection, database.dialect)


@asynccontextmanager
async def locked(database: Database, statement: Statement, **parameters: object) -> AsyncIterator[None]:
    """Lock the statement's rows in a transaction of the test's own, until the block ends."""
    async with open_transaction(database) as tx:
        assert await tx.one(statement, **parameters) is not None
        yield


@asynccontextmanager
async def running(work: Coroutine[Any, Any, Result]) -> AsyncIterator[asyncio.Task[Result]]:
    """Run it beside the block; ended at the block's end whatever happens."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def eventually(look: Callable[[], Awaitable[object]]) -> None:
    """Look at the database again and again until there is something to see."""
    async with asyncio.timeout(STUCK_SECONDS):
        while not await look():  # noqa: ASYNC110 - the database has no event to wait for
            await asyncio.sleep(0.005)


async def finished_or_blocked(database: Database, task: asyncio.Task[Any]) -> bool:
    """Wait until the task has ended or PostgreSQL makes a transaction wait for a lock; True: it waits."""

    async def look() -> bool:
        return task.done() or await _blocked(database)

    await eventually(look)
    return not task.done()


async def _blocked(database: Database) -> bool:
    (row,) = await rows(
        database,
        "SELECT count(*) AS waiting FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event <> 'advisory'",
    )
    return bool(row.waiting)


async def outcome_of(task: Awaitable[Result]) -> Result:
    """Return what the task returns, unless it is stuck."""
    return await asyncio.wait_for(task, STUCK_SECONDS)
