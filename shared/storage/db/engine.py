"""Connections and transactions on PostgreSQL or SQLite, with the same promises on both.

`write` runs one transaction, again where the database asked for it. READ COMMITTED on PostgreSQL, so a
statement that waited for a lock still sees old rows elsewhere: take a lock by a statement of its own. On
SQLite a writer begins with BEGIN IMMEDIATE, one at a time in a process.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, cast
from uuid import uuid4

import structlog
from sqlalchemy import CursorResult, Row, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncTransaction, create_async_engine

from shared.storage.db.private_files import make_private
from shared.storage.db.statement import Dialect, Statement

_log = structlog.get_logger()

Result = TypeVar("Result")

#: Serialization failure and deadlock, by SQLSTATE.
RETRIED_SQLSTATES: Final = frozenset({"40001", "40P01"})
#: The server ended a statement: `lock_timeout` (55P03), `statement_timeout` or somebody by hand (57014).
CANCELLED_SQLSTATES: Final = frozenset({"55P03", "57014"})
#: Connection exceptions (08), a server turned read-only (25006), a transaction that was idle or open for too
#: long (25P03, 25P04), no connection, memory or disk left (53), shutting down or starting up (57P), trouble
#: with its files (58): a later try may go through.
UNAVAILABLE_SQLSTATES: Final = ("08", "25006", "25P03", "25P04", "53", "57P", "58")
#: The same on SQLite, in its words.
UNAVAILABLE_SQLITE: Final = ("disk is full", "disk I/O error", "unable to open database", "readonly database")
WRITE_TRIES: Final = 12
#: A connection of the pool; longer, and the database counts as away.
POOL_SECONDS: Final = 10.0
CONNECT_SECONDS: Final = 5.0
#: PostgreSQL: one statement; a hanging server must not hold a payment for ever.
STATEMENT_SECONDS: Final = 30.0
IDLE_IN_TRANSACTION: Final = "idle_in_transaction_session_timeout"
IDLE_IN_TRANSACTION_SECONDS: Final = 10.0
#: What lends the server's connections: nothing, or a pooler for the time of one transaction.
Pooler = Literal["none", "transaction"]
#: Arguments of connections that are this process's alone.
_SESSION: Final[Mapping[str, Any]] = {
    "server_settings": {
        "application_name": "cloud-terminal",
        # A frozen process must not keep its locks: its line could not even be taken over.
        IDLE_IN_TRANSACTION: str(int(IDLE_IN_TRANSACTION_SECONDS * 1000)),
    }
}
#: Arguments of connections that change hands: no statement has a name that another one could have.
_NO_SESSION: Final[Mapping[str, Any]] = {
    "server_settings": {"application_name": "cloud-terminal"},
    "statement_cache_size": 0,
    "prepared_statement_cache_size": 0,
    "prepared_statement_name_func": lambda: f"ct_{uuid4().hex}",
}
#: SQLite: how long a connection waits for another process's writer.
SQLITE_BUSY_SECONDS: Final = 5.0


class DatabaseUnavailable(Exception):
    """The database cannot be reached or does not answer; nothing of this transaction was stored."""


class StatementCancelled(DatabaseUnavailable):
    """The database answers, and cancelled this statement: of this transaction, too, nothing was stored.

    Another row may do: whoever handles several goes on with the next one.
    """


class ConnectionLost(DatabaseUnavailable):
    """A connection that was there ended before the commit was sent: as after a restart of the server."""


class DatabaseBusy(DatabaseUnavailable):
    """No connection of this process was free in time; nothing was asked of the database."""


class CommitUnknown(Exception):
    """The connection was lost while committing: read back before anything follows from it."""


@dataclass(frozen=True, slots=True)
class WakeUp:
    """A delivery that was written: whoever committed it tells a notifier worker."""

    #: `hipay` or `merchant`.
    kind: str
    delivery_id: str
    target: str


#: Called with what a transaction wrote for the notifier workers, once it is committed. Must not block.
OnCommitted = Callable[[Sequence[WakeUp]], None]


@dataclass(frozen=True, slots=True)
class Transaction:
    """What a concern's functions get: statements in, rows out."""

    connection: AsyncConnection
    dialect: Dialect
    #: What is said once this transaction is committed.
    wakes: list[WakeUp] = field(default_factory=list)

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
        """Return how many rows were changed."""
        return (await self._execute(statement, parameters)).rowcount

    async def run_many(self, statement: Statement, rows: Sequence[Mapping[str, object]]) -> None:
        """Run a statement once for each row of parameters, in one round trip; nothing for no rows."""
        if rows:
            await self.connection.execute(statement.on(self.dialect), [dict(row) for row in rows])

    async def _execute(self, statement: Statement, parameters: Mapping[str, object]) -> CursorResult[Any]:
        return await self.connection.execute(statement.on(self.dialect), dict(parameters))


class Database:
    """One process's connections to the database. Made and closed by the composition root."""

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
        #: The notifier workers' wake-ups; a lost one costs time, since they look for themselves.
        self.on_committed: OnCommitted | None = None
        # SQLite: one writer a process; others would only wait inside the database with a thread each.
        self._write_lock: asyncio.Lock | None = asyncio.Lock() if dialect == "sqlite" else None

    async def close(self) -> None:
        await self._writer.dispose()
        if self._reader is not self._writer:
            await self._reader.dispose()

    async def read(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Run `work` outside of any transaction, each statement on its own; raise DatabaseUnavailable.

        Once more where the connection was lost: the pool may have had it from before the server's restart.
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

        Once more where the connection was lost before the commit, see `read`. An exception of `work` itself
        rolls back and is passed on. Raises DatabaseUnavailable or CommitUnknown.
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
        wakes: list[WakeUp] = []
        try:
            with _unavailable_where_lost():
                async with self._writer.connect() as connection:
                    tx = Transaction(connection, self.dialect, wakes)
                    async with connection.begin() as transaction:
                        result = await work(tx)
                        await _commit(transaction)
                        committed.append(result)
        except Exception as error:
            if not committed:
                raise
            # It is stored; what failed is the connection's way back into the pool.
            _log.warning("connection failed after its commit", error=str(error))
        self._wake(wakes)
        return committed[0]

    def _wake(self, wakes: Sequence[WakeUp]) -> None:
        if not wakes or self.on_committed is None:
            return
        try:
            self.on_committed(wakes)
        except Exception:
            _log.exception("wake-ups left to the sweep", count=len(wakes))

    @asynccontextmanager
    async def _one_writer(self) -> AsyncIterator[None]:
        if self._write_lock is None:
            yield
        else:
            async with self._write_lock:
                yield


async def _commit(transaction: AsyncTransaction) -> None:
    """Raise CommitUnknown where the answer does not say for certain that nothing was stored."""
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
    """Turn errors of the connection into DatabaseUnavailable; errors of a statement stay what they are."""
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
    """The driver's own words, without the statement and its parameters (they may hold a till's data)."""
    return str(error.orig)


def open_database(
    url: str,
    *,
    pool_size: int = 10,
    rng: random.Random | None = None,
    statement_seconds: float | None = STATEMENT_SECONDS,
    async_creator: Callable[[], Awaitable[Any]] | None = None,
    pooler: Pooler = "none",
) -> Database:
    """Return the database behind `url` (`postgresql+asyncpg://...` or `sqlite+aiosqlite:///PATH`).

    Nothing is connected yet. `async_creator` makes the driver's connections in place of the driver. `pooler`:
    what lends PostgreSQL's connections, see `shared.storage.db.pooler`.
    """
    parsed = make_url(url)
    extra: dict[str, Any] = {} if async_creator is None else {"async_creator": async_creator}
    rng = rng or random.Random()  # nosec B311 # noqa: S311 - jitter, not a secret
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed, rng, extra)
    engine = create_async_engine(
        parsed,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
        isolation_level="READ COMMITTED",
        # An error's text goes into logs; the parameters hold what tills send.
        hide_parameters=True,
        connect_args={
            "timeout": CONNECT_SECONDS,
            "command_timeout": statement_seconds,
            **(_SESSION if pooler == "none" else _NO_SESSION),
        },
        **extra,
    )
    # A statement is prepared and run in two steps: what lends connections must not come in between.
    reader = engine.execution_options(isolation_level="AUTOCOMMIT") if pooler == "none" else engine
    return Database(engine, reader, "postgresql", rng)


def _open_sqlite(url: URL, rng: random.Random, extra: dict[str, Any]) -> Database:
    extra |= {"max_overflow": 0, "pool_timeout": POOL_SECONDS, "hide_parameters": True}
    writer = create_async_engine(url, pool_size=1, **extra)
    reader = create_async_engine(url, pool_size=4, **extra)
    path = sqlite_path(url)
    for engine in (writer, reader):
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        if path is not None:
            # None of the arguments is of use here; returning None leaves the connecting to the driver.
            event.listen(engine.sync_engine, "do_connect", lambda *_: make_private(path))
    # The reader begins nothing: each of its statements sees the newest commit.
    event.listen(writer.sync_engine, "begin", _begin_immediate)
    return Database(writer, reader, "sqlite", rng)


def sqlite_path(url: URL) -> Path | None:
    """Return the file of an embedded database; None for PostgreSQL and for a database in memory."""
    in_memory = not url.database or url.database == ":memory:" or url.database.startswith("file:")
    return None if url.get_backend_name() != "sqlite" or in_memory else Path(str(url.database))


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {int(SQLITE_BUSY_SECONDS * 1000)}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


async def check_durability(database: Database) -> str | None:
    """Return what is wrong with the database's durability, or None: a payment is never lost to a crash."""

    async def look(tx: Transaction) -> str | None:
        if tx.dialect == "postgresql":
            for setting in ("fsync", "synchronous_commit"):
                value = (await tx.connection.execute(text(f"SHOW {setting}"))).scalar_one()
                if cast(str, value) == "off":
                    return f"PostgreSQL runs with {setting} = off"
            return None
        row = (await tx.connection.execute(text("PRAGMA synchronous"))).scalar_one()
        return None if row == 2 else "SQLite does not run with synchronous = FULL"

    return await database.read(look)
