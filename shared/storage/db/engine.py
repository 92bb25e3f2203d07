"""Reads and transactions on PostgreSQL or SQLite, with the same promises on both.

`Database.write` runs one transaction, and repeats it where the database asks for that. PostgreSQL runs at
READ COMMITTED: a statement that waited for a lock still sees old rows elsewhere, so lock by a statement of
its own. On SQLite a writer begins with BEGIN IMMEDIATE, one at a time in a process.
"""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, TypeVar

import structlog

from shared.metrics.metrics import CallObserver
from shared.runtime.outage_lines import log_outage
from shared.storage.db.calls import Calls
from shared.storage.db.connections.connection import Connection, Pool, Row
from shared.storage.db.errors import (
    CommitUnknown,
    ConnectionLost,
    DatabaseBusy,
    DatabaseUnavailable,
    StatementCancelled,
    StatementError,
    TransactionConflict,
    TransactionFailed,
    UniqueViolation,
)
from shared.storage.db.statement import Dialect, Statement

#: What callers need of the layer: this module's own, its errors and its rows.
__all__ = [
    "WRITE_TRIES",
    "CommitUnknown",
    "ConnectionLost",
    "Database",
    "DatabaseBusy",
    "DatabaseUnavailable",
    "OnCommitted",
    "Row",
    "StatementCancelled",
    "StatementError",
    "Transaction",
    "UniqueViolation",
    "WakeUp",
]

_log = structlog.get_logger()

Result = TypeVar("Result")

WRITE_TRIES: Final = 12


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

    connection: Connection
    dialect: Dialect
    #: Wake-ups to publish once this transaction is committed.
    wake_ups: list[WakeUp] = field(default_factory=list)

    async def one(self, statement: Statement, **parameters: object) -> Row | None:
        """Return the only row, or None."""
        rows = await self.connection.fetch(statement, parameters)
        return rows[0] if rows else None

    async def all(self, statement: Statement, **parameters: object) -> Sequence[Row]:
        return await self.connection.fetch(statement, parameters)

    async def all_of(
        self, statement: Statement, ids: Sequence[str] | Sequence[int], **parameters: object
    ) -> Sequence[Row]:
        """Return the rows of a statement with `{in_ids}`."""
        return await self.connection.fetch(statement, {"ids": self._listed(ids), **parameters})

    def _listed(self, ids: Sequence[str] | Sequence[int]) -> object:
        return list(ids) if self.dialect == "postgresql" else json.dumps(list(ids))

    async def run(self, statement: Statement, **parameters: object) -> int:
        """Return the number of rows that were changed."""
        return await self.connection.run(statement, parameters)

    async def run_of(self, statement: Statement, ids: Sequence[str], **parameters: object) -> int:
        """Return the number of rows that a statement with `{in_ids}` changed."""
        return await self.connection.run(statement, {"ids": self._listed(ids), **parameters})

    async def run_many(self, statement: Statement, rows: Sequence[Mapping[str, object]]) -> None:
        """Run a statement once for each row of parameters, in one round trip; nothing for no rows."""
        if rows:
            await self.connection.run_many(statement, rows)


class Database:
    """A process's connections to the database, made and closed by the composition root."""

    def __init__(self, writer: Pool, reader: Pool, dialect: Dialect, rng: random.Random) -> None:
        self.dialect: Final = dialect
        self._writer = writer
        self._reader = reader
        self._rng = rng
        self._pools: Final = (writer,) if reader is writer else (writer, reader)
        #: Publishes the wake-ups; a lost one costs time only, since the notifier workers sweep.
        self.on_committed: OnCommitted | None = None
        self.observer: CallObserver | None = None
        #: Calls of functions in PostgreSQL.
        self.calls: Final = Calls(self.write_rows)
        # SQLite: one writer a process; others would wait inside the database with a thread each.
        self._write_lock: asyncio.Lock | None = asyncio.Lock() if dialect == "sqlite" else None

    @property
    def connections_limit(self) -> int:
        """The number of connections that may be open at once."""
        return sum(pool.size for pool in self._pools)

    @property
    def connections_in_use(self) -> int:
        return sum(pool.in_use for pool in self._pools)

    @property
    def calls_waiting(self) -> int:
        """The number of calls that wait for a connection."""
        return sum(pool.waiting for pool in self._pools)

    async def close(self) -> None:
        await self.calls.drain()
        await self._writer.close()
        if self._reader is not self._writer:
            await self._reader.close()

    async def read(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Run `work` outside of any transaction, each statement on its own; raise DatabaseUnavailable.

        Runs it once more where the connection was lost: the pool may have had it from before a restart.
        """
        with _Observed(self.observer, "read"):
            try:
                return await self._read_once(work)
            except ConnectionLost:
                return await self._read_once(work)

    async def _read_once(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        async with self._reader.connect() as connection:
            if self._reader.needs_transactions:
                await connection.begin()
            try:
                return await work(Transaction(connection, self.dialect))
            except TransactionConflict as error:
                raise DatabaseUnavailable(str(error)) from error

    async def write(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Run `work` as one transaction, again on serialization failure, deadlock and SQLITE_BUSY.

        Runs it once more where the connection was lost before the commit, as `read` does. An exception of
        `work` rolls back and propagates. Raises DatabaseUnavailable, CommitUnknown.
        """

        async def try_once() -> Result:
            async with self._one_writer():
                return await self._write_once(work)

        return await self._repeated(try_once)

    async def write_rows(self, statement: Statement, **parameters: object) -> Sequence[Row]:
        """Run one statement as a transaction of its own, in one round trip; return its rows.

        Repeated as `write` is. The statement commits with its answer: where that is lost, CommitUnknown.
        On SQLite, and behind a pooler, it is an ordinary transaction.
        """
        if self.dialect == "sqlite" or self._writer.needs_transactions:
            return await self.write(lambda tx: tx.all(statement, **parameters))
        return await self._repeated(lambda: self._send_one(statement, parameters))

    async def _repeated(self, try_once: Callable[[], Awaitable[Result]]) -> Result:
        with _Observed(self.observer, "write"):
            return await self._repeated_unobserved(try_once)

    async def _repeated_unobserved(self, try_once: Callable[[], Awaitable[Result]]) -> Result:
        was_lost = False
        for attempt in range(1, WRITE_TRIES + 1):
            try:
                return await try_once()
            except ConnectionLost:
                if was_lost or attempt == WRITE_TRIES:
                    raise
                was_lost = True
                continue
            except TransactionConflict as error:
                if attempt == WRITE_TRIES:
                    raise DatabaseUnavailable(str(error)) from error
            await asyncio.sleep(self._rng.uniform(0, 0.01 * 2 ** min(attempt, 6)))
        raise AssertionError("unreachable")

    async def _write_once(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        committed: list[Result] = []
        wake_ups: list[WakeUp] = []
        try:
            async with self._writer.connect() as connection:
                await connection.begin()
                result = await work(Transaction(connection, self.dialect, wake_ups))
                await _commit(connection)
                committed.append(result)
        except Exception as error:
            if not committed:
                raise
            # It is stored; the connection failed on its way back into the pool.
            log_outage("database", "connection failed after its commit", error=str(error))
        self.wake(wake_ups)
        return committed[0]

    async def _send_one(self, statement: Statement, parameters: Mapping[str, object]) -> Sequence[Row]:
        rows: Sequence[Row] | None = None
        is_lent = False
        try:
            async with self._writer.connect() as connection:
                is_lent = True
                rows = await connection.fetch(statement, parameters)
        except StatementCancelled:
            raise
        except DatabaseUnavailable as error:
            if not is_lent:
                raise
            if rows is None:
                # It was sent, and may be stored.
                raise CommitUnknown(str(error)) from error
            log_outage("database", "connection failed after its commit", error=str(error))
        assert rows is not None, "the statement has ended"
        return rows

    def wake(self, wake_ups: Sequence[WakeUp]) -> None:
        """Publish the wake-ups of what is committed; one that fails is left to the sweep."""
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


class _Observed:
    """A block whose duration and failure the observer notes; cheaper than a generator."""

    __slots__ = ("_began", "_call", "_observer")

    def __init__(self, observer: CallObserver | None, call: str) -> None:
        self._observer = observer
        self._call = call
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if self._observer is None:
            return
        self._observer.call_ended(self._call, time.perf_counter() - self._began)
        if isinstance(error, CommitUnknown):
            self._observer.call_failed("commit_unknown")
        elif isinstance(error, DatabaseUnavailable):
            self._observer.call_failed("busy" if isinstance(error, DatabaseBusy) else "unavailable")


async def _commit(connection: Connection) -> None:
    """Commit; raise CommitUnknown where it is not certain that nothing was stored."""
    try:
        await connection.commit()
    except (TransactionConflict, TransactionFailed):
        raise
    except (StatementError, DatabaseUnavailable) as error:
        raise CommitUnknown(str(error)) from error
