"""SQLite in the loop's own thread, behind coroutines that call sqlite3 at once, and how it misbehaves."""

import asyncio
import random
import sqlite3
from collections.abc import Callable
from contextvars import Context, ContextVar
from pathlib import Path
from typing import Any, Final, Literal

from tests.simulation.loop import OWNER
from tests.simulation.templates import Templates

_EPOCH_MS: Final = 1_790_000_000_000
_JULIAN_EPOCH: Final = 2440587.5
_PASSED_OVER: Final = ("PRAGMA journal_mode", "PRAGMA busy_timeout")


#: What becomes of a commit whose answer is lost.
Fate = Literal["done", "undone", "late"]
FATES: Final[tuple[Fate, ...]] = ("done", "undone", "late")


class Store:
    """The database server of one history: its files, its clock, its faults."""

    def __init__(
        self, folder: Path, templates: Templates, loop: asyncio.AbstractEventLoop, rng: random.Random
    ) -> None:
        self.loop = loop
        self.rng = rng
        self.path = folder / "history.db"
        self.heartbeats_path = folder / "heartbeats.db"
        self.path.write_bytes(templates.database)
        self.heartbeats_path.write_bytes(templates.heartbeats)
        self.clock_offset_ms = 0
        #: Without SQLAlchemy in between.
        self.is_thin = True
        self.is_away = False
        #: Ratio of commits whose answer is lost.
        self.lost_commits = 0.0
        #: Commits to lose on purpose: a word of one of the transaction's statements, and what becomes of it.
        self.doomed: list[tuple[str, Fate]] = []
        self.latency_seconds = 0.002
        self.on_lost_commit: Callable[[str, str], None] = lambda *_: None
        self._open: list[Connection] = []
        self._raw: list[sqlite3.Connection] = []
        self._looker: sqlite3.Connection | None = None

    def now_ms(self) -> int:
        return _EPOCH_MS + int(self.loop.time() * 1000) + self.clock_offset_ms

    def raw(self, path: Path) -> sqlite3.Connection:
        made = sqlite3.connect(path, isolation_level=None, timeout=0, check_same_thread=False)
        made.create_function("julianday", 1, lambda _: self.now_ms() / 86_400_000 + _JULIAN_EPOCH)
        made.execute("PRAGMA journal_mode = MEMORY")
        made.execute("PRAGMA synchronous = OFF")
        made.execute("PRAGMA foreign_keys = ON")
        self._raw.append(made)
        return made

    async def connect(self, path: Path) -> "Connection":
        await self.reached()
        connection = Connection(self, path)
        self._open.append(connection)
        return connection

    async def reached(self) -> None:
        """Wait as for a network; raise where the database is away."""
        await asyncio.sleep(self.rng.expovariate(1 / self.latency_seconds))
        if self.is_away:
            # The words by which SQLAlchemy knows a lost connection.
            raise sqlite3.OperationalError("connection closed: the database is away")

    def owner_died(self, owner: object) -> None:
        """The kernel closes its connections: what was not committed is rolled back."""
        for connection in self._open:
            if connection.owner is owner:
                connection.abandon()

    def rows(self, sql: str) -> list[sqlite3.Row]:
        """Look from outside, in no process's name."""
        if self._looker is None:
            self._looker = self.raw(self.path)
            self._looker.row_factory = sqlite3.Row
        return self._looker.execute(sql).fetchall()

    def is_settled(self) -> bool:
        """Whether every payment ended or is in doubt, and every line is free."""
        return not self.rows(
            "SELECT 1 FROM payments WHERE state IN ('queued', 'in_session')"
            " UNION ALL SELECT 1 FROM lines WHERE held_by IS NOT NULL"
        )

    def state(self, payment_id: str) -> str | None:
        found = self.rows(f"SELECT state FROM payments WHERE id = '{payment_id}'")
        return found[0]["state"] if found else None

    def holder(self, line: str) -> str | None:
        """Return the payment or probe that holds the line."""
        found = self.rows(f"SELECT held_by FROM lines WHERE address = '{line}'")
        return found[0]["held_by"] if found else None

    def in_doubt(self) -> list[tuple[str, str]]:
        """Return the payments in doubt and their lines."""
        found = self.rows("SELECT id, line FROM payments WHERE state = 'in_doubt' ORDER BY id")
        return [(row["id"], row["line"]) for row in found]

    def close(self) -> None:
        for raw in self._raw:
            raw.close()


class Connection:
    """Shaped like aiosqlite's connection, as far as SQLAlchemy uses it."""

    def __init__(self, store: Store, path: Path) -> None:
        self._store = store
        self._path = path
        self.owner = OWNER.get()
        self._conn = store.raw(path)
        self._tx = self
        self.isolation_level = None
        self.is_usable = True
        self.statements: list[str] = []

    @property
    def _connection(self) -> sqlite3.Connection:
        return self._conn

    def put_nowait(self, item: tuple[asyncio.Future[Any], Any]) -> None:
        future, function = item  # SQLAlchemy's way to run a function on the driver's thread
        future.set_result(function())

    def cursor(self) -> "Cursor":
        return Cursor(self, self._store, self._conn)

    async def create_function(self, *_: object, **__: object) -> None:
        """SQLAlchemy's REGEXP: no statement of ours uses it."""

    async def commit(self) -> None:
        store = self._store
        await store.reached()
        fate = self._fate() if self._conn.in_transaction else None
        if fate is not None:
            store.on_lost_commit(fate, self.statements[-1])
            self._lose_commit(fate)
            raise sqlite3.OperationalError("connection closed while committing")
        self._conn.commit()
        await asyncio.sleep(0)

    def _fate(self) -> "Fate | None":
        store = self._store
        for doom in store.doomed:
            if any(doom[0] in sql for sql in self.statements):
                store.doomed.remove(doom)
                return doom[1]
        return store.rng.choice(FATES) if store.rng.random() < store.lost_commits else None

    def _lose_commit(self, fate: "Fate") -> None:
        store = self._store
        match fate:
            case "done":
                self._conn.commit()
            case "undone":
                self._conn.rollback()
            case "late":
                # The server is still at it: others wait for its locks, and then it is carried out or not.
                late, self._conn = self._conn, store.raw(self._path)
                done = late.commit if store.rng.random() < 0.5 else late.rollback
                # In no process's name: the client's death does not stop it.
                store.loop.call_later(store.rng.uniform(0.01, 1.5), done, context=Context())

    async def rollback(self) -> None:
        self._conn.rollback()

    async def close(self) -> None:
        self.abandon()

    def stop(self) -> None:
        self.abandon()

    def abandon(self) -> None:
        self.is_usable = False
        self._conn.close()


class Cursor:
    def __init__(self, connection: Connection, store: Store, raw: sqlite3.Connection) -> None:
        self._connection = connection
        self._store = store
        self._cursor = raw.cursor()
        self._rows: list[Any] = []

    async def __aenter__(self) -> "Cursor":
        return self

    async def execute(self, sql: str, parameters: Any = ()) -> None:
        if sql.startswith("PRAGMA"):
            return
        await self._store.reached()
        if sql.startswith("BEGIN"):
            self._connection.statements.clear()
        self._connection.statements.append(sql)
        self._cursor.execute(sql, parameters)
        # Read to the end at once: a statement half read would hold a lock.
        self._rows = self._cursor.fetchall() if self._cursor.description else []

    async def fetchall(self) -> list[Any]:
        rows, self._rows = self._rows, []
        return rows

    @property
    def description(self) -> Any:
        return self._cursor.description

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    @property
    def lastrowid(self) -> int | None:
        return self._cursor.lastrowid

    async def close(self) -> None:
        self._cursor.close()


STORE: ContextVar[Store] = ContextVar("store")


async def connect_main() -> Connection:
    """Connect to the database of the history that runs."""
    store = STORE.get()
    return await store.connect(store.path)


async def connect_heartbeats() -> Connection:
    """Connect to the heartbeats' own file."""
    store = STORE.get()
    return await store.connect(store.heartbeats_path)
