"""Two database files of a process that plays: made once, and emptied for every history.

Their sqlite3 connections stay open. To open one, read the schema and prepare the statements again costs more
than a history's statements do.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tests.simulation.database.templates import Templates

_JULIAN_EPOCH: Final = 2440587.5
_DAY_MS: Final = 86_400_000


class File:
    """One database file; each transaction borrows a connection of it until its end."""

    def __init__(self, path: Path, template: bytes) -> None:
        self._path = path
        path.write_bytes(template)
        #: The database's clock, milliseconds since 1970; of the history that runs.
        self.now_ms: Callable[[], int] = lambda: 0
        self._spare: list[sqlite3.Connection] = []
        self._lent: list[sqlite3.Connection] = []
        self._emptier = self._open(foreign_keys=False)
        self._first_rows = {table: self._rows_of(table) for table in self._tables()}

    def _open(self, *, foreign_keys: bool = True) -> sqlite3.Connection:
        made = sqlite3.connect(
            # No other process opens it: SQLite's locks between connections need no system calls.
            f"{self._path.as_uri()}?vfs=unix-excl",
            uri=True,
            isolation_level=None,
            timeout=0,
            check_same_thread=False,
            cached_statements=512,
        )
        # Deterministic: the same throughout a statement, as SQLite's own.
        made.create_function("julianday", 1, self._julianday, deterministic=True)
        made.execute("PRAGMA journal_mode = MEMORY")
        made.execute("PRAGMA synchronous = OFF")
        made.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        return made

    def _julianday(self, _: str) -> float:
        return self.now_ms() / _DAY_MS + _JULIAN_EPOCH

    def _tables(self) -> list[str]:
        found = self._emptier.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        return [name for (name,) in found.fetchall()]

    def _rows_of(self, table: str) -> list[tuple[Any, ...]]:
        return self._emptier.execute(f"SELECT * FROM {table}").fetchall()

    @property
    def reader(self) -> sqlite3.Connection:
        """Return the connection for statements outside of transactions, each read to its end at once."""
        # The one that wrote last: what it has in its cache is up to date.
        if not self._spare:
            self._spare.append(self._open())
        return self._spare[-1]

    def lend(self) -> sqlite3.Connection:
        """Return a connection for one transaction."""
        lent = self._spare.pop() if self._spare else self._open()
        self._lent.append(lent)
        return lent

    def give_back(self, lent: sqlite3.Connection) -> None:
        """Take a connection back; roll back what was not committed."""
        lent.rollback()
        self._lent.remove(lent)
        self._spare.append(lent)

    def begin_anew(self) -> None:
        """Restore the state after the migrations."""
        for lent in list(self._lent):
            self.give_back(lent)
        raw = self._emptier
        raw.execute("BEGIN IMMEDIATE")
        for table, rows in self._first_rows.items():
            raw.execute(f"DELETE FROM {table}")
            if rows:
                raw.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
        raw.commit()

    def close(self) -> None:
        for raw in (self._emptier, *self._spare, *self._lent):
            raw.close()


class Files:
    """Files of the database and, beside it, of the heartbeats."""

    def __init__(self, folder: Path, templates: Templates) -> None:
        self.main = File(folder / "history.db", templates.database)
        self.heartbeats = File(folder / "heartbeats.db", templates.heartbeats)

    def begin_anew(self) -> None:
        self.main.begin_anew()
        self.heartbeats.begin_anew()

    def close(self) -> None:
        self.main.close()
        self.heartbeats.close()
