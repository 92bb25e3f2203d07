"""Stand-in for the pool under `Database`, ten times faster than SQLAlchemy's: no compiling, no greenlets.

The product's transactions, retries and statements run on it as they are; every sixteenth seed runs on
SQLAlchemy itself instead.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from operator import itemgetter
from types import TracebackType
from typing import Any

from shared.storage.db.engine import (
    CommitUnknown,
    ConnectionLost,
    DatabaseBusy,
    Row,
    StatementError,
)
from shared.storage.db.errors import known_error
from shared.storage.db.statement import Statement
from tests.simulation.database.sqlite import Connection, StatementFailed

_POOL_SECONDS = 10.0


class ThinRow(tuple[Any, ...]):
    """A row whose columns are attributes, too."""

    _names: tuple[str, ...] = ()
    __slots__ = ()

    @property
    def _mapping(self) -> Mapping[str, Any]:
        return dict(zip(self._names, self, strict=True))


def _row_class(names: tuple[str, ...]) -> type[ThinRow]:
    columns = {name: property(itemgetter(index)) for index, name in enumerate(names)}
    return type("Row", (ThinRow,), {**columns, "_names": names, "__slots__": ()})


#: By the statement's text.
_row_classes: dict[str, type[ThinRow]] = {}


class ThinConnection:
    """One connection of the pool while it is lent."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def begin(self) -> None:
        await _run(self._connection, "BEGIN IMMEDIATE", ())

    async def commit(self) -> None:
        try:
            await self._connection.commit()
        except sqlite3.Error as error:
            raise _known(error) from error

    async def fetch(self, statement: Statement, parameters: Mapping[str, object]) -> Sequence[Row]:
        return (await self._execute(statement, parameters))[0]

    async def run(self, statement: Statement, parameters: Mapping[str, object]) -> int:
        return (await self._execute(statement, parameters))[1]

    async def run_many(self, statement: Statement, rows: Sequence[Mapping[str, object]]) -> None:
        sql = statement.on("sqlite")
        try:
            await self._connection.reached()
            for parameters in rows:
                self._connection.run(sql, parameters)
        except sqlite3.Error as error:
            raise _known(error) from error

    async def _execute(
        self, statement: Statement, parameters: Mapping[str, object]
    ) -> tuple[Sequence[Any], int]:
        sql = statement.on("sqlite")
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
        return rows, cursor.rowcount


async def _run(connection: Connection, sql: str, parameters: object) -> sqlite3.Cursor:
    try:
        await connection.reached()
        return connection.run(sql, parameters)
    except sqlite3.Error as error:
        raise _known(error) from error


class _Lent(AbstractAsyncContextManager[ThinConnection]):
    """`pool.connect()`: a place of the pool, and a connection for it."""

    __slots__ = ("_connection", "_pool")

    def __init__(self, pool: "ThinPool") -> None:
        self._pool = pool

    async def __aenter__(self) -> ThinConnection:
        pool = self._pool
        if pool.places:
            pool.places -= 1
        else:
            await pool.wait_for_a_place()
        try:
            self._connection = await pool.take()
        except BaseException:
            pool.give_place()
            raise
        return ThinConnection(self._connection)

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        pool, connection = self._pool, self._connection
        try:
            if isinstance(error, ConnectionLost | CommitUnknown):
                connection.abandon()
            if connection.is_usable:
                await connection.rollback()
                pool.free.append(connection)
        finally:
            pool.give_place()


class ThinPool:
    """A pool of so many connections of one process."""

    needs_transactions = False

    def __init__(self, connect: Callable[[], Awaitable[Connection]], pool_size: int) -> None:
        self._connect = connect
        self.free: list[Connection] = []
        self.places = self.size = pool_size
        #: For metrics, which a simulation does not read.
        self.in_use = self.waiting = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def connect(self) -> AbstractAsyncContextManager[ThinConnection]:
        return _Lent(self)

    async def wait_for_a_place(self) -> None:
        """Raise DatabaseBusy where none becomes free in time."""
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
            raise DatabaseBusy("no connection is free") from error

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
            raise _known(error) from error

    async def close(self) -> None:
        for connection in self.free:
            connection.abandon()
        self.free.clear()


def is_refused(error: BaseException | None) -> bool:
    """Return whether the simulated server refused the statement; SQLite's own errors have no SQLSTATE."""
    return isinstance(error, StatementError) and error.sqlstate != ""


def _known(error: sqlite3.Error) -> Exception:
    """Return the product's error for one of sqlite3, as its pool does."""
    sqlstate = error.sqlstate if isinstance(error, StatementFailed) else ""
    return known_error(str(error), sqlstate, is_lost="connection closed" in str(error))
