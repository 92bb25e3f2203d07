"""Reads and transactions on PostgreSQL or SQLite, with the same promises on both.

`Database.write` runs one transaction, and repeats it where the database asks for that. PostgreSQL runs at
READ COMMITTED: a statement that waited for a lock still sees old rows elsewhere, so lock by a statement of
its own. On SQLite a writer begins with BEGIN IMMEDIATE, one at a time in a process.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import structlog
from sqlalchemy import CursorResult, Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncTransaction

from shared.storage.db.statement import Dialect, Statement

_log = structlog.get_logger()

Result = TypeVar("Result")

#: Serialization failure and deadlock, by SQLSTATE.
RETRIED_SQLSTATES: Final = frozenset({"40001", "40P01"})
#: The server ended a statement: `lock_timeout` (55P03), `statement_timeout` or an administrator (57014).
CANCELLED_SQLSTATES: Final = frozenset({"55P03", "57014"})
#: Connection exceptions (08), a server turned read-only (25006), a transaction that was idle or open for too
#: long (25P03, 25P04), no connection, memory or disk left (53), shutdown or startup (57P), an error of its
#: files (58): a later try may succeed.
UNAVAILABLE_SQLSTATES: Final = ("08", "25006", "25P03", "25P04", "53", "57P", "58")
#: The same on SQLite, by its messages.
UNAVAILABLE_SQLITE: Final = ("disk is full", "disk I/O error", "unable to open database", "readonly database")
WRITE_TRIES: Final = 12
#: Wait for a connection of the pool; past it the database is unavailable.
POOL_SECONDS: Final = 10.0


class DatabaseUnavailable(Exception):
    """Raised when the database cannot be reached or does not answer; nothing of the transaction was
    stored."""


class StatementCancelled(DatabaseUnavailable):
    """Raised when the database cancelled a statement; nothing of the transaction was stored.

    The database answers: a loop over several rows goes on with the next one.
    """


class ConnectionLost(DatabaseUnavailable):
    """Raised when an open connection ended before the commit was sent, as after a restart of the server."""


class DatabaseBusy(DatabaseUnavailable):
    """Raised when no connection of the pool was free in time; nothing was sent to the database."""


class CommitUnknown(Exception):
    """Raised when the connection was lost while committing; read back before anything follows from it."""


@dataclass(frozen=True, slots=True)
class WakeUp:
    """A wake-up for the notifier workers: a delivery that a transaction wrote."""

    #: `hipay` or `merchant`.
    kind: str
    delivery_id: str
    target: str


#: Called with the wake-ups of a transaction once it is committed. Must not block.
OnCommitted = Callable[[Sequence[WakeUp]], None]


@dataclass(frozen=True, slots=True)
class Transaction:
    """An open transaction: runs statements and returns rows."""

    connection: AsyncConnection
    dialect: Dialect
    #: Wake-ups to publish once this transaction is committed.
    wake_ups: list[WakeUp] = field(default_factory=list)

    async def one(self, statement: Statement, **parameters: object) -> Row[Any] | None:
        """Return the only row, or None."""
        return (await self._execute(statement, parameters)).first()

    async def all(self, statement: Statement, **parameters: object) -> Sequence[Row[Any]]:
        return (await self._execute(statement, parameters)).all()

    async def all_of(
        self, statement: Statement, ids: Sequence[str] | Sequence[int], **parameters: object
    ) -> Sequence[Row[Any]]:
        """Return the rows of a statement with `{in_ids}`."""
        listed: object = list(ids) if self.dialect == "postgresql" else json.dumps(list(ids))
        return await self.all(statement, ids=listed, **parameters)

    async def run(self, statement: Statement, **parameters: object) -> int:
        """Return the number of rows that were changed."""
        return (await self._execute(statement, parameters)).rowcount

    async def run_many(self, statement: Statement, rows: Sequence[Mapping[str, object]]) -> None:
        """Run a statement once for each row of parameters, in one round trip; nothing for no rows."""
        if rows:
            await self.connection.execute(statement.on(self.dialect), [dict(row) for row in rows])

    async def _execute(self, statement: Statement, parameters: Mapping[str, object]) -> CursorResult[Any]:
        return await self.connection.execute(statement.on(self.dialect), dict(parameters))


class Database:
    """A process's connections to the database, made and closed by the composition root."""

    def __init__(
        self,
        writer: AsyncEngine,
        reader: AsyncEngine,
        dialect: Dialect,
        rng: random.Random,
    ) -> None:
        self.dialect: Final = dialect
        self._writer = writer
        self._reader = reader
        self._rng = rng
        #: Publishes the wake-ups; a lost one costs time only, since the notifier workers sweep.
        self.on_committed: OnCommitted | None = None
        # SQLite: one writer a process; others would wait inside the database with a thread each.
        self._write_lock: asyncio.Lock | None = asyncio.Lock() if dialect == "sqlite" else None

    async def close(self) -> None:
        await self._writer.dispose()
        if self._reader is not self._writer:
            await self._reader.dispose()

    async def read(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Run `work` outside of any transaction, each statement on its own; raise DatabaseUnavailable.

        Runs it once more where the connection was lost: the pool may have had it from before a restart.
        """
        try:
            return await self._read_once(work)
        except ConnectionLost:
            return await self._read_once(work)

    async def _read_once(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        with _unavailable_where_lost():
            async with self._reader.connect() as connection:
                try:
                    return await work(Transaction(connection, self.dialect))
                except DBAPIError as error:
                    if _is_retried(error):
                        raise DatabaseUnavailable(_plain(error)) from error
                    raise

    async def write(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Run `work` as one transaction, again on serialization failure, deadlock and SQLITE_BUSY.

        Runs it once more where the connection was lost before the commit, as `read` does. An exception of
        `work` rolls back and propagates. Raises DatabaseUnavailable, CommitUnknown.
        """
        was_lost = False
        for attempt in range(1, WRITE_TRIES + 1):
            try:
                async with self._one_writer():
                    return await self._write_once(work)
            except ConnectionLost:
                if was_lost or attempt == WRITE_TRIES:
                    raise
                was_lost = True
                continue
            except DBAPIError as error:
                if not _is_retried(error):
                    raise
                if attempt == WRITE_TRIES:
                    raise DatabaseUnavailable(_plain(error)) from error
            await asyncio.sleep(self._rng.uniform(0, 0.01 * 2 ** min(attempt, 6)))
        raise AssertionError("unreachable")

    async def _write_once(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        committed: list[Result] = []
        wake_ups: list[WakeUp] = []
        try:
            with _unavailable_where_lost():
                async with self._writer.connect() as connection:
                    tx = Transaction(connection, self.dialect, wake_ups)
                    async with connection.begin() as transaction:
                        result = await work(tx)
                        await _commit(transaction)
                        committed.append(result)
        except Exception as error:
            if not committed:
                raise
            # It is stored; the connection failed on its way back into the pool.
            _log.warning("connection failed after its commit", error=str(error))
        self._wake(wake_ups)
        return committed[0]

    def _wake(self, wake_ups: Sequence[WakeUp]) -> None:
        if not wake_ups or self.on_committed is None:
            return
        try:
            self.on_committed(wake_ups)
        except Exception:
            _log.exception("wake-ups left to the sweep", count=len(wake_ups))

    @asynccontextmanager
    async def _one_writer(self) -> AsyncIterator[None]:
        if self._write_lock is None:
            yield
        else:
            async with self._write_lock:
                yield


async def _commit(transaction: AsyncTransaction) -> None:
    """Commit; raise CommitUnknown where it is not certain that nothing was stored."""
    try:
        await transaction.commit()
    except DBAPIError as error:
        if _is_retried(error):
            raise
        raise CommitUnknown(_plain(error)) from error
    except OSError as error:
        raise CommitUnknown(str(error)) from error


@contextmanager
def _unavailable_where_lost() -> Iterator[None]:
    """Raise DatabaseUnavailable for errors of the connection; errors of a statement propagate."""
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseBusy(f"no connection was free within {POOL_SECONDS:g} s") from error
    except OSError as error:
        raise DatabaseUnavailable(str(error)) from error
    except DBAPIError as error:
        if _sqlstate(error) in CANCELLED_SQLSTATES:
            raise StatementCancelled(_plain(error)) from error
        if error.connection_invalidated:
            raise ConnectionLost(_plain(error)) from error
        if _is_unavailable(error):
            raise DatabaseUnavailable(_plain(error)) from error
        raise


def _sqlstate(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "")


def _is_unavailable(error: DBAPIError) -> bool:
    if _sqlstate(error).startswith(UNAVAILABLE_SQLSTATES):
        return True
    return any(sign in str(error.orig) for sign in UNAVAILABLE_SQLITE)


def _is_retried(error: DBAPIError) -> bool:
    return _sqlstate(error) in RETRIED_SQLSTATES or "is locked" in str(error.orig)


def _plain(error: DBAPIError) -> str:
    """Return the driver's message without the statement and its parameters, which may hold clients' data."""
    return str(error.orig)
