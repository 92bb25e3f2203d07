"""PostgreSQL through asyncpg: a pool whose connections go back without a round trip.

A connection that comes back in a transaction, or from work that failed or was cancelled, is rolled back
first; one that does not answer is closed. Nothing is reset: the product sets nothing for a session.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from shared.storage.db.connections.connection import POOL_SECONDS, Row
from shared.storage.db.errors import (
    ConnectionLost,
    DatabaseBusy,
    DatabaseUnavailable,
    StatementError,
    TransactionConflict,
    TransactionFailed,
    known_error,
)
from shared.storage.db.statement import Statement

#: Limit of a ROLLBACK before a connection goes back to the pool, and of a farewell.
CLEANING_SECONDS: Final = 5.0
#: Severities with which the server ends a connection.
_ENDING: Final = ("FATAL", "PANIC")


class PostgresRow(asyncpg.Record):
    """A row of asyncpg whose columns are attributes, too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def _mapping(self) -> Mapping[str, Any]:
        return dict(self.items())


class PostgresConnection:
    """A connection of the pool while it is lent."""

    __slots__ = ("_driver",)

    def __init__(self, driver: "asyncpg.Connection[Any]") -> None:
        self._driver = driver

    @property
    def server_process(self) -> int:
        """Return the number of the server's process, as the server greeted."""
        return self._driver.get_server_pid()

    async def begin(self) -> None:
        await self._do("BEGIN ISOLATION LEVEL READ COMMITTED;")

    async def commit(self) -> None:
        if await self._do("COMMIT;") != "COMMIT":
            raise TransactionFailed("a statement of the transaction had failed")

    async def fetch(self, statement: Statement, parameters: Mapping[str, object]) -> Sequence[Row]:
        words, names = statement.numbered
        try:
            return await self._driver.fetch(words, *[parameters[name] for name in names])
        except _ERRORS as error:
            raise _known(error, self._driver) from None

    async def run(self, statement: Statement, parameters: Mapping[str, object]) -> int:
        words, names = statement.numbered
        done = await self._do(words, *[parameters[name] for name in names])
        last = done.rpartition(" ")[2]
        return int(last) if last.isdecimal() else 0

    async def run_many(self, statement: Statement, rows: Sequence[Mapping[str, object]]) -> None:
        words, names = statement.numbered
        try:
            await self._driver.executemany(words, [[row[name] for name in names] for row in rows])
        except _ERRORS as error:
            raise _known(error, self._driver) from None

    async def _do(self, words: str, *parameters: object) -> str:
        """Run a statement; return the server's word for it, as `UPDATE 2`."""
        try:
            return await self._driver.execute(words, *parameters)
        except _ERRORS as error:
            raise _known(error, self._driver) from None


class PostgresPool:
    """Connections of one process, opened when they are needed and kept until they end."""

    def __init__(
        self,
        open_driver: "Callable[[], Awaitable[asyncpg.Connection[Any]]]",
        size: int,
        *,
        needs_transactions: bool,
    ) -> None:
        self._open_driver = open_driver
        self.needs_transactions: Final = needs_transactions
        #: Wait for a free connection, in seconds.
        self.wait_seconds = POOL_SECONDS
        self.size: Final = size
        self._places = asyncio.Semaphore(size)
        #: Connections that are lent, and callers that wait for one.
        self.in_use = 0
        self.waiting = 0
        #: The one that was used last goes first.
        self._free: list[asyncpg.Connection[Any]] = []
        self._cleaning: set[asyncio.Task[None]] = set()
        self._is_closed = False

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[PostgresConnection]:
        driver = await self._take()
        self.in_use += 1
        is_clean = False
        try:
            yield PostgresConnection(driver)
            is_clean = not driver.is_in_transaction()
        except ConnectionLost:
            self._forget_free()
            raise
        finally:
            if is_clean or driver.is_closed():
                self._give_back(driver)
            else:
                await self._give_back_cleaned(driver)

    async def close(self) -> None:
        self._is_closed = True
        await asyncio.gather(*self._cleaning)
        free, self._free = self._free, []
        await asyncio.gather(*(_close(driver) for driver in free))

    async def _take(self) -> "asyncpg.Connection[Any]":
        if self._places.locked():
            await self._wait_for_place()
        else:
            await self._places.acquire()
        try:
            while self._free:
                driver = self._free.pop()
                if not driver.is_closed():
                    return driver
            return await self._open()
        except BaseException:
            self._places.release()
            raise

    async def _wait_for_place(self) -> None:
        self.waiting += 1
        try:
            async with asyncio.timeout(self.wait_seconds):
                await self._places.acquire()
        except TimeoutError:
            raise DatabaseBusy(f"no connection was free within {self.wait_seconds:g} s") from None
        finally:
            self.waiting -= 1

    async def _open(self) -> "asyncpg.Connection[Any]":
        try:
            return await self._open_driver()
        except _ERRORS as error:
            raise _known(error, None) from None

    def _give_back(self, driver: "asyncpg.Connection[Any]") -> None:
        if self._is_closed:
            driver.terminate()
        elif not driver.is_closed():
            self._free.append(driver)
        self.in_use -= 1
        self._places.release()

    async def _give_back_cleaned(self, driver: "asyncpg.Connection[Any]") -> None:
        """Roll back, also where the caller is cancelled meanwhile; the place is free afterwards."""
        task = asyncio.create_task(self._clean(driver))
        self._cleaning.add(task)
        task.add_done_callback(self._cleaning.discard)
        await asyncio.shield(task)

    async def _clean(self, driver: "asyncpg.Connection[Any]") -> None:
        try:
            # asyncpg itself waits without a limit until a cancelled statement has ended.
            async with asyncio.timeout(CLEANING_SECONDS):
                await driver.execute("ROLLBACK;")
        except BaseException as error:
            driver.terminate()
            if not isinstance(error, _ERRORS):
                raise
        finally:
            self._give_back(driver)

    def _forget_free(self) -> None:
        """Close what is free: after a restart of the server, every connection has ended."""
        free, self._free = self._free, []
        for driver in free:
            driver.terminate()


async def _close(driver: "asyncpg.Connection[Any]") -> None:
    try:
        await driver.close(timeout=CLEANING_SECONDS)
    except _ERRORS:
        driver.terminate()


#: Everything that asyncpg raises for the server, the connection and a parameter.
_ERRORS: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


def _known(error: Exception, driver: "asyncpg.Connection[Any] | None") -> Exception:
    """Return the exception for an error of the driver; without a connection it is one of connecting."""
    is_lost = driver is not None and driver.is_closed()
    if isinstance(error, asyncpg.InvalidCachedStatementError):
        # A migration changed a table; the driver has forgotten what it knew.
        return TransactionConflict(_main_message(error), error.sqlstate or "")
    if isinstance(error, asyncpg.PostgresError):
        sqlstate = error.sqlstate or ""
        ends = driver is not None and getattr(error, "severity_en", None) in _ENDING
        return known_error(_main_message(error), sqlstate, is_lost=is_lost or ends or sqlstate == "08003")
    if is_lost:
        return ConnectionLost(str(error) or "the connection has ended")
    if isinstance(error, OSError):
        return DatabaseUnavailable(str(error) or "no answer in time")
    return StatementError(str(error))


def _main_message(error: asyncpg.PostgresError) -> str:
    message = str(error.args[0]) if error.args else type(error).__name__
    # Behind the colon of a wrong parameter's error is its value.
    return message.partition(":")[0] if (error.sqlstate or "").startswith("22") else message
