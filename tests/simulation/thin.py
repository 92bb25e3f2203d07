"""What SQLAlchemy's engine does for `Database`, in a tenth of the time: no compiling, no greenlets.

The product's transactions, retries and statements run on it as they are; every sixteenth seed runs on
SQLAlchemy itself instead.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from sqlalchemy import TextClause
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tests.simulation.sqlite import Connection

_POOL_SECONDS = 10.0


class Row(tuple[Any, ...]):
    """A row whose columns are attributes, too."""

    _names: tuple[str, ...] = ()
    __slots__ = ()

    @property
    def _mapping(self) -> Mapping[str, Any]:
        return dict(zip(self._names, self, strict=True))

    def __getattr__(self, name: str) -> Any:
        try:
            return self[self._names.index(name)]
        except ValueError:
            raise AttributeError(name) from None


@cache
def _row_class(names: tuple[str, ...]) -> type[Row]:
    return type("Row", (Row,), {"_names": names, "__slots__": ()})


class Rows:
    """A statement's result, read to its end."""

    def __init__(self, names: tuple[str, ...], rows: Sequence[tuple[Any, ...]], rowcount: int) -> None:
        made = _row_class(names)
        self._rows = [made(row) for row in rows]
        self.rowcount = rowcount

    def first(self) -> Row | None:
        return self._rows[0] if self._rows else None

    def all(self) -> list[Row]:
        return self._rows


class ThinTransaction:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.is_over = False

    async def commit(self) -> None:
        self.is_over = True
        with _wrapped("COMMIT"):
            await self._connection.commit()


class ThinConnection:
    """One connection of the pool while it is lent."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def execute(self, clause: TextClause, parameters: Mapping[str, object]) -> Rows:
        cursor = self._connection.cursor()
        with _wrapped(clause.text):
            await cursor.execute(clause.text, parameters)
        names = tuple(column[0] for column in cursor.description or ())
        return Rows(names, await cursor.fetchall(), cursor.rowcount)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[ThinTransaction]:
        with _wrapped("BEGIN IMMEDIATE"):
            await self._connection.cursor().execute("BEGIN IMMEDIATE")
        transaction = ThinTransaction(self._connection)
        try:
            yield transaction
        finally:
            if not transaction.is_over:
                await self._connection.rollback()


class ThinEngine:
    """A pool of so many connections of one process."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], pool_size: int) -> None:
        self._connect = connect
        self._free: list[Connection] = []
        self._places = asyncio.Semaphore(pool_size)

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[ThinConnection]:
        if self._places.locked():
            await self._wait_for_a_place()
        else:
            await self._places.acquire()
        try:
            connection = await self._take()
            try:
                yield ThinConnection(connection)
            except DBAPIError as error:
                if error.connection_invalidated:
                    connection.abandon()
                raise
            finally:
                if connection.is_usable:
                    await connection.rollback()
                    self._free.append(connection)
        finally:
            self._places.release()

    async def _wait_for_a_place(self) -> None:
        try:
            async with asyncio.timeout(_POOL_SECONDS):
                await self._places.acquire()
        except TimeoutError as error:
            raise PoolTimeout("no connection is free") from error

    async def _take(self) -> Connection:
        if self._free:
            return self._free.pop()
        with _wrapped("connect"):
            return await self._connect()

    async def dispose(self) -> None:
        for connection in self._free:
            connection.abandon()
        self._free.clear()


class _wrapped:  # noqa: N801 - reads as a word in a `with`
    """Turns sqlite3's errors into SQLAlchemy's, as its engine does."""

    __slots__ = ("_sql",)

    def __init__(self, sql: str) -> None:
        self._sql = sql

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.Error):
            lost = "connection closed" in str(error)
            raise DBAPIError(self._sql, None, error, connection_invalidated=lost) from error
