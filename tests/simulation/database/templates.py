"""Migrated, empty database that every history begins with; made once a run by the real migrations."""

import asyncio
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path

from shared.storage.administration import merchant_register
from shared.storage.administration.audit_trail import Actor
from shared.storage.administration.merchant_register import MerchantSettings
from shared.storage.db.opening import open_database
from shared.storage.db.schema.migrate import migrate
from shared.storage.terminals.heartbeats import Heartbeats
from tests.simulation.engine.surroundings import MERCHANT_IDS


@dataclass(frozen=True)
class Templates:
    database: bytes
    heartbeats: bytes


def memory_folder(inside: Path | None = None) -> Path:
    """Return a new folder, in memory where there is some."""
    in_memory = Path("/dev/shm")
    inside = inside or (in_memory if in_memory.is_dir() else None)
    return Path(tempfile.mkdtemp(prefix="ct-simulation-", dir=inside))


def make_templates() -> Templates:
    folder = memory_folder()
    try:
        asyncio.run(_make(folder))
        return Templates(_plain(folder / "t.db"), _plain(folder / "t-heartbeats.db"))
    finally:
        shutil.rmtree(folder)


async def _make(folder: Path) -> None:
    url = f"sqlite+aiosqlite:///{folder / 't.db'}"
    await migrate(url)
    database = open_database(url)
    for merchant_id in MERCHANT_IDS:
        bakery = MerchantSettings(name="Bakery", networks=("127.0.0.0/8",))
        await merchant_register.create(database, merchant_id, bakery, Actor("simulation"))
    await database.close()
    heartbeats = await Heartbeats.open(url)
    await heartbeats.close()


def _plain(path: Path) -> bytes:
    """Return the file's bytes, out of WAL mode."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = DELETE")
    # Each history begins anew: the audit trail is emptied, too.
    connection.execute("DROP TRIGGER IF EXISTS audit_trail_no_delete")
    connection.close()
    return path.read_bytes()
