"""Stand-in for SQLAlchemy's engine under `Database`, ten times faster: no compiling, no greenlets.

The product's transactions, retries and statements run on it as they are; every sixteenth seed runs on
SQLAlchemy itself instead.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from operator import itemgetter
from typing import Any

from sqlalchemy import TextClause
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tests.simulation.database.sqlite import Connection, StatementFailed

_POOL_SECONDS = 10.0


class Row(tuple[Any, ...]):
    """A row whose columns are attributes, too."""

    _names: tuple[str, ...] = ()
    __slots__ = ()

    @property
    def _mapping(self) -> Mapping[str, Any]:
        return dict(zip(self._names, self, strict=True))


def _row_class(names: tuple[str, ...]) -> type[Row]:
    columns = {name: property(itemgetter(index)) for index, name in enumerate(names)}
    return type("Row", (Row,), {**columns, "_names": names, "__slots__": ()})


#: By the statement's text.
_row_classes: dict[str, type[Row]] = {}


class Rows:
    """A statement's result, read to its end."""

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: list[Row], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount

    def first(self) -> Row | None:
        return self._rows[0] if self._rows else None

    def all(self) -> list[Row]:
        return self._rows


class ThinTransaction:
    """`connection.begin()`: rolled back at the block's end where it was not committed."""

    __slots__ = ("_connection", "_is_over")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_over = False

    async def __aenter__(self) -> "ThinTransaction":
        await _run(self._connection, "BEGIN IMMEDIATE", ())
        return self

    async def __aexit__(self, *_: object) -> None:
        if not self._is_over:
            await self._connection.rollback()

    async def commit(self) -> None:
        self._is_over = True
        try:
            await self._connection.commit()
        except sqlite3.Error as error:
            raise _wrapped("COMMIT", error) from error


class ThinConnection:
    """One connection of the pool while it is lent."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def execute(
        self, clause: TextClause, parameters: Mapping[str, object] | list[Mapping[str, object]]
    ) -> Rows:
        sql = clause.text
        if isinstance(parameters, list):
            await _run_many(self._connection, sql, parameters)
            return Rows([], len(parameters))
        cursor = await _run(self._connection, sql, parameters)
        # Read to the end at once: a statement half read would hold a lock.
        rows = cursor.fetchall()
        self._connection.notice(sql, rows)
        if rows:
            made = _row_classes.get(sql)
            if made is None:
                made = _row_classes[sql] = _row_class(tuple(column[0] for column in cursor.description))
            rows = [made(row) for row in rows]
        if self._connection.store.delays_answers:
            await self._connection.answered(sql)
        return Rows(rows, cursor.rowcount)

    def begin(self) -> ThinTransaction:
        return ThinTransaction(self._connection)


async def _run(connection: Connection, sql: str, parameters: object) -> sqlite3.Cursor:
    try:
        await connection.reached()
        return connection.run(sql, parameters)
    except sqlite3.Error as error:
        raise _wrapped(sql, error) from error


async def _run_many(connection: Connection, sql: str, rows: list[Mapping[str, object]]) -> None:
    """Run a statement for many rows in one round trip."""
    try:
        await connection.reached()
        for parameters in rows:
            connection.run(sql, parameters)
    except sqlite3.Error as error:
        raise _wrapped(sql, error) from error


class _Lent:
    """`engine.connect()`: a place of the pool, and a connection for it."""

    __slots__ = ("_connection", "_engine")

    def __init__(self, engine: "ThinEngine") -> None:
        self._engine = engine

    async def __aenter__(self) -> ThinConnection:
        engine = self._engine
        if engine.places:
            engine.places -= 1
        else:
            await engine.wait_for_a_place()
        try:
            self._connection = await engine.take()
        except BaseException:
            engine.give_place()
            raise
        return ThinConnection(self._connection)

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        engine, connection = self._engine, self._connection
        try:
            if isinstance(error, DBAPIError) and error.connection_invalidated:
                connection.abandon()
            if connection.is_usable:
                await connection.rollback()
                engine.free.append(connection)
        finally:
            engine.give_place()


class ThinEngine:
    """A pool of so many connections of one process."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], pool_size: int) -> None:
        self._connect = connect
        self.free: list[Connection] = []
        self.places = pool_size
        self._waiting: deque[asyncio.Future[None]] = deque()

    def connect(self) -> _Lent:
        return _Lent(self)

    async def wait_for_a_place(self) -> None:
        """Raise SQLAlchemy's error where none becomes free in time."""
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        try:
            async with asyncio.timeout(_POOL_SECONDS):
                try:
                    await mine
                except asyncio.CancelledError:
                    if mine.done() and not mine.cancelled():
                        self.give_place()
                    raise
        except TimeoutError as error:
            raise PoolTimeout("no connection is free") from error

    def give_place(self) -> None:
        """Give a place of the pool to whoever waits longest."""
        while self._waiting:
            first = self._waiting.popleft()
            if not first.done():
                first.set_result(None)
                return
        self.places += 1

    async def take(self) -> Connection:
        if self.free:
            return self.free.pop()
        try:
            return await self._connect()
        except sqlite3.Error as error:
            raise _wrapped("connect", error) from error

    async def dispose(self) -> None:
        for connection in self.free:
            connection.abandon()
        self.free.clear()


def is_refused(error: BaseException | None) -> bool:
    """Return whether the simulated server refused the statement."""
    return isinstance(error, DBAPIError) and isinstance(error.orig, StatementFailed)


def _wrapped(sql: str, error: sqlite3.Error) -> DBAPIError:
    """Return SQLAlchemy's error for one of sqlite3, as its engine does."""
    lost = "connection closed" in str(error)
    return DBAPIError(sql, None, error, connection_invalidated=lost)
