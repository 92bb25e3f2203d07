"""SQLAlchemy's connections behind the same pool and connection as asyncpg's: for SQLite and migrations."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from typing import Any, Final, TypeVar

import sqlalchemy
from sqlalchemy import TextClause
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncTransaction

from shared.storage.db.connections.connection import POOL_SECONDS, Row
from shared.storage.db.errors import DatabaseBusy, DatabaseUnavailable, known_error
from shared.storage.db.statement import Statement

Result = TypeVar("Result")


class AlchemyConnection:
    """A connection of the engine while it is lent."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._is_sqlite = connection.dialect.name == "sqlite"
        self._transaction: AsyncTransaction | None = None

    async def begin(self) -> None:
        with _known_errors():
            self._transaction = await self._connection.begin()

    async def commit(self) -> None:
        assert self._transaction is not None, "it has begun"
        with _known_errors():
            await self._transaction.commit()

    async def fetch(self, statement: Statement, parameters: Mapping[str, object]) -> Sequence[Row]:
        with _known_errors():
            result = await self._connection.execute(self._clause(statement), dict(parameters))
            rows: Sequence[Any] = result.all() if result.returns_rows else []
            return rows

    async def run(self, statement: Statement, parameters: Mapping[str, object]) -> int:
        with _known_errors():
            return (await self._connection.execute(self._clause(statement), dict(parameters))).rowcount

    async def run_many(self, statement: Statement, rows: Sequence[Mapping[str, object]]) -> None:
        with _known_errors():
            await self._connection.execute(self._clause(statement), [dict(row) for row in rows])

    async def run_sync(self, work: Callable[[sqlalchemy.Connection], Result]) -> Result:
        """Run a function of SQLAlchemy's synchronous world, as Alembic."""
        with _known_errors():
            return await self._connection.run_sync(work)

    def _clause(self, statement: Statement) -> TextClause:
        return _clause(statement.on("sqlite" if self._is_sqlite else "postgresql"))


@cache
def _clause(words: str) -> TextClause:
    """Return a statement as SQLAlchemy runs it; made once, since every statement is a constant."""
    return sqlalchemy.text(words)


class AlchemyPool:
    """Connections of an engine."""

    needs_transactions = False

    def __init__(self, engine: AsyncEngine, size: int = 1) -> None:
        self.engine = engine
        self.size: Final = size
        #: Connections that are lent, and callers that wait for one.
        self.in_use = 0
        self.waiting = 0

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AlchemyConnection]:
        connection = self.engine.connect()
        self.waiting += 1
        try:
            with _known_errors():
                await connection.start()
        finally:
            self.waiting -= 1
        self.in_use += 1
        try:
            yield AlchemyConnection(connection)
        finally:
            self.in_use -= 1
            with _known_errors():
                # Rolls back what is open, also where the caller is cancelled meanwhile.
                await connection.__aexit__(None, None, None)

    async def close(self) -> None:
        await self.engine.dispose()


@contextmanager
def _known_errors() -> Iterator[None]:
    try:
        yield
    except PoolTimeout:
        raise DatabaseBusy(f"no connection was free within {POOL_SECONDS:g} s") from None
    except OSError as error:
        raise DatabaseUnavailable(str(error)) from error
    except DBAPIError as error:
        raise _known(error) from None


def _known(error: DBAPIError) -> Exception:
    sqlstate: Any = getattr(error.orig, "sqlstate", None)
    return known_error(str(error.orig), str(sqlstate or ""), is_lost=error.connection_invalidated)
