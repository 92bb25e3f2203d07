"""SQLite in the loop's own thread, behind coroutines that call sqlite3 at once, with its faults."""

import asyncio
import random
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextvars import Context, ContextVar
from typing import Any, Final, Literal

from tests.simulation.database.files import File, Files
from tests.simulation.engine.loop import OWNER, SimulatedLoop
from tests.simulation.model.watch import Watch

_EPOCH_MS: Final = 1_790_000_000_000
#: Errors of a statement: cancelled (by a time-out or by hand), no lock in time, an internal error.
_ERRORS: Final = ("57014", "55P03", "XX000")


class StatementFailed(sqlite3.OperationalError):
    """Raised when the server refuses one statement; its connection works on."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__(f"the server says {sqlstate}")
        self.sqlstate = sqlstate


#: Fates of a commit whose answer is lost.
Fate = Literal["done", "undone", "late"]
FATES: Final[tuple[Fate, ...]] = ("done", "undone", "late")


class Store:
    """Database server of one history: its files, its clock, its faults."""

    def __init__(self, files: Files, loop: SimulatedLoop, rng: random.Random, watch: Watch) -> None:
        self.loop = loop
        self.watch = watch
        self.rng = rng
        self.files = files
        files.begin_anew()
        files.main.now_ms = files.heartbeats.now_ms = self.now_ms
        self.clock_offset_ms = 0
        #: Without SQLAlchemy in between.
        self.is_thin = True
        self.is_unavailable = False
        #: Ratio of commits whose answer is lost.
        self.lost_commits = 0.0
        #: Commits to lose on purpose: a part of one of the transaction's statements, and the commit's fate.
        self.doomed: list[tuple[str, Fate]] = []
        #: Ratio of statements that the server refuses.
        self.errors = 0.0
        #: Statements to refuse on purpose: a part of each, and its SQLSTATE.
        self.refused: list[tuple[str, str]] = []
        self.on_error: Callable[[str, str], None] = lambda *_: None
        #: Ratio of statements whose answer comes late.
        self.slow_answers = 0.0
        #: Answers to delay on purpose: a part of the statement, and seconds.
        self.delayed: list[tuple[str, float]] = []
        self.latency_seconds = 0.002
        self.on_lost_commit: Callable[[str, str], None] = lambda *_: None
        self._open: list[Connection] = []
        #: Time of the last takeover by terminal address, also where its commit was undone.
        self.taken_over_at: dict[str, float] = {}

    def now_ms(self) -> int:
        return _EPOCH_MS + int(self.loop.time() * 1000) + self.clock_offset_ms

    async def connect(self, file: File) -> "Connection":
        await self.reached()
        connection = Connection(self, file)
        self._open.append(connection)
        return connection

    async def reached(self) -> None:
        """Wait as for a network; raise while the database is unavailable."""
        await self.loop.after(self.rng.expovariate(1 / self.latency_seconds))
        if self.is_unavailable:
            # SQLAlchemy recognises a lost connection by these words.
            raise sqlite3.OperationalError("connection closed: the database is away")

    def refuse(self, sql: str) -> None:
        """Raise StatementFailed where this statement is to be refused."""
        for refused in self.refused:
            if refused[0] in sql:
                self.refused.remove(refused)
                raise StatementFailed(refused[1])
        if self.errors and self.rng.random() < self.errors:
            sqlstate = self.rng.choice(_ERRORS)
            self.on_error(sqlstate, sql)
            raise StatementFailed(sqlstate)

    def _answers_late(self, sql: str) -> float:
        """Return the extra delay of the answer to this statement in seconds."""
        for delayed in self.delayed:
            if delayed[0] in sql:
                self.delayed.remove(delayed)
                return delayed[1]
        if self.slow_answers and self.rng.random() < self.slow_answers:
            return self.rng.expovariate(1 / self.latency_seconds)
        return 0.0

    @property
    def delays_answers(self) -> bool:
        return bool(self.slow_answers or self.delayed)

    async def answered(self, sql: str) -> None:
        """Wait for the answer's extra delay, in which others may change the rows."""
        seconds = self._answers_late(sql)
        if seconds:
            await self.loop.after(seconds)

    def owner_died(self, owner: object) -> None:
        """Close a dead process's connections as the kernel does, and roll their transactions back."""
        for connection in self._open:
            if connection.owner is owner:
                connection.abandon()

    def rows(self, sql: str, *parameters: object) -> list[sqlite3.Row]:
        """Return rows, read from outside of every process."""
        cursor = self.files.main.reader.cursor()
        cursor.row_factory = sqlite3.Row
        return cursor.execute(sql, parameters).fetchall()

    def is_settled(self) -> bool:
        """Return whether all payments are final or in doubt, all terminal locks free, all deliveries made."""
        return not self.rows(
            "SELECT 1 FROM payments WHERE state IN ('queued', 'in_session')"
            " UNION ALL SELECT 1 FROM terminal_locks WHERE held_by IS NOT NULL"
            " UNION ALL SELECT 1 FROM deliveries WHERE state = 'waiting'"
        )

    def state(self, payment_id: str) -> str | None:
        found = self.rows("SELECT state FROM payments WHERE id = ?", payment_id)
        return found[0]["state"] if found else None

    def is_excused(self, terminal_address: str) -> bool:
        """Return whether a terminal left the identification after a finished payment unanswered."""
        return bool(
            self.rows("SELECT 1 FROM terminal_locks WHERE address = ? AND identifies = 0", terminal_address)
        )

    def holder(self, terminal_address: str) -> str | None:
        """Return the payment or probe that holds the terminal lock."""
        found = self.rows("SELECT held_by FROM terminal_locks WHERE address = ?", terminal_address)
        return found[0]["held_by"] if found else None

    def newest_event(self) -> int:
        """Return the number of the newest entry in the payments' histories; later ones are higher."""
        return self.rows("SELECT COALESCE(MAX(id), 0) AS newest FROM payment_events")[0]["newest"] or 0

    def blocking(self, merchant_id: str, order_id: str, life_seconds: float | None) -> str | None:
        """Return the debit that blocks the order's new attempts; a success does so for its number's life."""
        young = 0 if life_seconds is None else self.now_ms() - 1000 * life_seconds
        found = self.rows(
            "SELECT id FROM payments WHERE merchant_id = ? AND order_id = ? AND operation = 'debit'"
            " AND guard_key IS NOT NULL AND COALESCE(ended_at, ?) >= ?",
            merchant_id,
            order_id,
            young,
            young,
        )
        return found[0]["id"] if found else None

    def in_doubt(self) -> list[tuple[str, str]]:
        """Return the payments in doubt and their terminal addresses."""
        found = self.rows("SELECT id, terminal_address FROM payments WHERE state = 'in_doubt' ORDER BY id")
        return [(row["id"], row["terminal_address"]) for row in found]

    def close(self) -> None:
        """Cut the connections that this history's processes left open."""
        for connection in self._open:
            connection.abandon()


class Connection:
    """Stand-in for aiosqlite's connection, as far as SQLAlchemy uses it."""

    def __init__(self, store: Store, file: File) -> None:
        self.store = self._store = store
        self.reached = store.reached
        self.answered = store.answered
        self._file = file
        self.owner = OWNER.get()
        #: Borrowed while a transaction is open.
        self._lent: sqlite3.Connection | None = None
        self._began_at = 0.0
        #: Workers whose rows this transaction changes; true for a heartbeat.
        self._workers: list[tuple[str, bool]] = []
        self._tx = self
        self.isolation_level = None
        self.is_usable = True
        self.statements: list[str] = []

    def notice(self, sql: str, rows: Sequence[Any]) -> None:
        """Keep the begin of a takeover's transaction; `rows` are those that the statement returned.

        The claim that it ends was committed before, however long the taker is paused until its own commit.
        """
        if rows and sql.startswith("UPDATE terminal_locks SET worker"):
            self.store.taken_over_at[rows[0][0]] = self._began_at

    @property
    def _conn(self) -> sqlite3.Connection:
        return self._file.reader

    @property
    def _connection(self) -> sqlite3.Connection:
        return self._file.reader

    def put_nowait(self, item: tuple[asyncio.Future[Any], Any]) -> None:
        future, function = item  # SQLAlchemy's way to run a function on the driver's thread
        future.set_result(function())

    def cursor(self) -> "Cursor":
        return Cursor(self, self._store)

    def run(self, sql: str, parameters: Any) -> sqlite3.Cursor:
        """Run a statement, in the transaction where there is one."""
        if not self.is_usable:
            raise sqlite3.OperationalError("connection closed")
        store = self._store
        if sql.startswith("BEGIN"):
            self.statements.clear()
            self._workers.clear()
            self._began_at = store.loop.now
            self._lent = self._file.lend()
        elif isinstance(parameters, Mapping):
            if sql.startswith("UPDATE terminal_locks SET worker"):
                store.watch.takes_over(parameters, self._began_at)
            elif self._file is store.files.heartbeats and not sql.startswith("SELECT"):
                self._workers.append((parameters["worker"], sql.startswith("UPDATE")))
        store.refuse(sql)
        self.statements.append(sql)
        return (self._lent or self._file.reader).execute(sql, parameters)

    async def create_function(self, *_: object, **__: object) -> None:
        """Ignore SQLAlchemy's REGEXP: no statement of the product uses it."""

    async def commit(self) -> None:
        store = self._store
        await store.reached()
        if self._lent is not None:
            fate = self._fate() if self._lent.in_transaction else None
            if fate is not None:
                store.on_lost_commit(fate, self.statements[-1])
                self._lose_commit(fate)
                raise sqlite3.OperationalError("connection closed while committing")
            self._commit(self._lent)
            self._end()
        await asyncio.sleep(0)

    def _commit(self, lent: sqlite3.Connection) -> None:
        lent.commit()
        for worker, is_beat in self._workers:
            self._store.watch.committed(worker, is_beat=is_beat, at=self._store.loop.now)

    def _fate(self) -> "Fate | None":
        store = self._store
        for doom in store.doomed:
            if any(doom[0] in sql for sql in self.statements):
                store.doomed.remove(doom)
                return doom[1]
        return store.rng.choice(FATES) if store.rng.random() < store.lost_commits else None

    def _lose_commit(self, fate: "Fate") -> None:
        store, file, lent = self._store, self._file, self._lent
        assert lent is not None
        match fate:
            case "done":
                self._commit(lent)
                self._end()
            case "undone":
                self._end()
            case "late":
                # The server has not finished: others wait for its locks until it commits or rolls back.
                self._lent = None
                done = store.rng.random() < 0.5
                workers = list(self._workers)

                def end() -> None:
                    if done:
                        self._workers = workers
                        self._commit(lent)
                    file.give_back(lent)

                # Outside of every process: the client's death does not stop it.
                store.loop.call_later(store.rng.uniform(0.01, 1.5), end, context=Context())

    def _end(self) -> None:
        """Give the borrowed connection back, rolled back where it was not committed."""
        if self._lent is not None:
            self._file.give_back(self._lent)
            self._lent = None

    async def rollback(self) -> None:
        self._end()

    async def close(self) -> None:
        self.abandon()

    def stop(self) -> None:
        self.abandon()

    def abandon(self) -> None:
        self.is_usable = False
        self._end()


class Cursor:
    def __init__(self, connection: Connection, store: Store) -> None:
        self._connection = connection
        self._store = store
        self._cursor: sqlite3.Cursor | None = None
        self._rows: list[Any] = []

    async def __aenter__(self) -> "Cursor":
        return self

    async def execute(self, sql: str, parameters: Any = ()) -> None:
        if sql.startswith("PRAGMA"):
            return
        await self._store.reached()
        self._cursor = self._connection.run(sql, parameters)
        # Read to the end at once: a statement half read would hold a lock.
        self._rows = self._cursor.fetchall() if self._cursor.description else []
        self._connection.notice(sql, self._rows)
        await self._store.answered(sql)

    async def executemany(self, sql: str, rows: Sequence[Any]) -> None:
        await self._store.reached()
        for parameters in rows:
            self._cursor = self._connection.run(sql, parameters)

    async def fetchall(self) -> list[Any]:
        rows, self._rows = self._rows, []
        return rows

    @property
    def description(self) -> Any:
        return None if self._cursor is None else self._cursor.description

    @property
    def rowcount(self) -> int:
        return -1 if self._cursor is None else self._cursor.rowcount

    @property
    def lastrowid(self) -> int | None:
        return None if self._cursor is None else self._cursor.lastrowid

    async def close(self) -> None:
        """Do nothing: a cursor that was read to its end holds nothing."""


STORE: ContextVar[Store] = ContextVar("store")


async def connect_main() -> Connection:
    """Connect to the database of the history that runs."""
    store = STORE.get()
    return await store.connect(store.files.main)


async def connect_heartbeats() -> Connection:
    """Connect to the heartbeats' own file."""
    store = STORE.get()
    return await store.connect(store.files.heartbeats)
