"""Product's `Database` as a simulated process opens it: on the thin pool, or on SQLAlchemy's own.

An engine of SQLAlchemy is used again in later histories: compiling its statements costs more than a history.
"""

import random

from shared.storage.db.connections.alchemy import AlchemyPool
from shared.storage.db.engine import Database
from shared.storage.db.opening import open_database
from tests.simulation.database.sqlite import STORE, connect_heartbeats, connect_main
from tests.simulation.database.thin import ThinPool

_spare: dict[str, list[Database]] = {"main": [], "heartbeats": []}
_used: list[tuple[str, Database]] = []
_CONNECT = {"main": connect_main, "heartbeats": connect_heartbeats}
#: As in the product: one writer, four readers; the heartbeats have one of each.
_READERS = {"main": 4, "heartbeats": 4}


def open_simulated(which: str, rng: random.Random) -> Database:
    """Return the database (`main` or `heartbeats`) as a new process opens it."""
    if not STORE.get().is_thin:
        return _open_full(which, rng)
    writer, reader = ThinPool(_CONNECT[which], 1), ThinPool(_CONNECT[which], _READERS[which])
    return Database(writer, reader, "sqlite", rng)


def _open_full(which: str, rng: random.Random) -> Database:
    if _spare[which]:
        made = _spare[which].pop()
    else:
        made = open_database(f"sqlite+aiosqlite:///{which}.db", async_creator=_CONNECT[which])
    _used.append((which, made))
    return Database(made._writer, made._reader, "sqlite", rng)


def give_back() -> None:
    """Keep the engines of a history that is over, with new pools, for a later one."""
    for which, made in _used:
        for pool in (made._writer, made._reader):
            assert isinstance(pool, AlchemyPool)
            pool.engine.sync_engine.dispose(close=False)
        _spare[which].append(made)
    _used.clear()
