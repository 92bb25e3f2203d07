"""A database's writing connections with a look at each statement before it is sent.

On PostgreSQL its reading connections are the same.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from shared.storage.db.connections.connection import Connection, Pool, Row
from shared.storage.db.engine import Database
from shared.storage.db.statement import Statement


@dataclass
class Sent:
    """A statement that is about to be sent; another may be put in its place."""

    statement: Statement
    parameters: Mapping[str, object]
    #: One object for each time that a connection is lent.
    lent: object


#: A function that leaves its case to the statements is a transaction, too.
_WRITTEN = Statement("SELECT pg_current_xact_id_if_assigned() IS NOT NULL AS anything")

BeforeStatement = Callable[[Sent], Awaitable[None]]
BeforeCommit = Callable[[], Awaitable[None]]


async def _nothing(*_: Any) -> None:
    return


class _Watched:
    """A lent connection whose statements are looked at."""

    def __init__(
        self, real: Connection, before_statement: BeforeStatement, before_commit: BeforeCommit
    ) -> None:
        self._real = real
        self._before_statement = before_statement
        self._before_commit = before_commit

    async def begin(self) -> None:
        await self._real.begin()

    async def commit(self) -> None:
        [written] = await self._real.fetch(_WRITTEN, {})
        if written.anything:
            await self._before_commit()
        await self._real.commit()

    async def fetch(self, statement: Statement, parameters: Mapping[str, object]) -> Sequence[Row]:
        sent = await self._sent(statement, parameters)
        return await self._real.fetch(sent.statement, sent.parameters)

    async def run(self, statement: Statement, parameters: Mapping[str, object]) -> int:
        sent = await self._sent(statement, parameters)
        return await self._real.run(sent.statement, sent.parameters)

    async def run_many(self, statement: Statement, rows: Sequence[Mapping[str, object]]) -> None:
        sent = await self._sent(
            statement, {f"{n}.{name}": row[name] for n, row in enumerate(rows) for name in row}
        )
        if sent.statement is statement:
            await self._real.run_many(statement, rows)
        else:
            await self._real.fetch(sent.statement, sent.parameters)

    async def _sent(self, statement: Statement, parameters: Mapping[str, object]) -> Sent:
        sent = Sent(statement, parameters, self)
        await self._before_statement(sent)
        return sent


class _WatchedPool:
    """The real pool, whose connections are looked at."""

    def __init__(self, real: Pool, before_statement: BeforeStatement, before_commit: BeforeCommit) -> None:
        self._real = real
        self._hooks = before_statement, before_commit
        # A statement that commits by itself gets a COMMIT to stop at.
        self.needs_transactions = real.needs_transactions or before_commit is not _nothing
        self.size = real.size
        self.in_use = self.waiting = 0

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[_Watched]:
        async with self._real.connect() as connection:
            yield _Watched(connection, *self._hooks)

    async def close(self) -> None:
        await self._real.close()


@contextmanager
def watched(
    database: Database,
    *,
    before_statement: BeforeStatement = _nothing,
    before_commit: BeforeCommit = _nothing,
) -> Iterator[None]:
    """Look at what the database's transactions send in the block."""
    writer, reader = database._writer, database._reader
    database._writer = _WatchedPool(writer, before_statement, before_commit)
    if reader is writer:
        database._reader = database._writer
    try:
        yield
    finally:
        database._writer, database._reader = writer, reader
