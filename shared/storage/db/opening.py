"""Connections as every process opens them: reachable, durable, with this release's schema."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import asyncpg

from shared.settings.settings import Settings, SettingsError
from shared.storage.db.connections.pooler import Pooler, connect_arguments, pooler_problem
from shared.storage.db.connections.postgres import PostgresPool, PostgresRow
from shared.storage.db.connections.private_files import warn_of_open_folder
from shared.storage.db.connections.urls import asyncpg_arguments, dialect_of, sqlite_path
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.schema.version import SchemaTooOld, check_schema
from shared.storage.db.statement import Statement

CONNECT_SECONDS: Final = 5.0
#: PostgreSQL: limit of one statement; a hanging server must not keep a payment for ever.
STATEMENT_SECONDS: Final = 30.0

_SHOW: Final = {setting: Statement(f"SHOW {setting}") for setting in ("fsync", "synchronous_commit")}
_SYNCHRONOUS: Final = Statement("PRAGMA synchronous")


@asynccontextmanager
async def opened_database(settings: Settings) -> AsyncIterator[Database]:
    """Yield the database of the settings, and close it.

    Raises DatabaseUnavailable, SchemaTooOld, SchemaTooNew, and SettingsError where a crash could lose a
    payment.
    """
    pooler = settings.database_pooler
    url = settings.database_url.get_secret_value()
    path = sqlite_path(url)
    if path is not None and not path.exists():
        raise SchemaTooOld(f"there is no database {path}: run `cloud-terminal db migrate`")
    database = open_database(
        url, pool_size=settings.database_pool_size, pooler=pooler, ca_file=settings.database_ca_file
    )
    try:
        problem = await pooler_problem(database, pooler)
        if problem is not None:
            raise SettingsError(problem)
        await check_schema(database)
        if path is not None:
            warn_of_open_folder(path)
        problem = await check_durability(database)
        if problem is not None:
            raise SettingsError(f"{problem}: a payment could be lost. Switch it on and start again.")
        yield database
    finally:
        await database.close()


def open_database(
    url: str,
    *,
    pool_size: int = 10,
    rng: random.Random | None = None,
    statement_seconds: float | None = STATEMENT_SECONDS,
    async_creator: Callable[[], Awaitable[Any]] | None = None,
    pooler: Pooler = "none",
    ca_file: Path | None = None,
) -> Database:
    """Return the database behind `url` (`postgresql+asyncpg://...` or `sqlite+aiosqlite:///PATH`).

    Nothing is connected yet. `async_creator` replaces the driver's connect function. `pooler`: lends
    PostgreSQL's connections, see `connections.pooler`. `statement_seconds`: limit of one on PostgreSQL.
    `ca_file`: the authorities that verify PostgreSQL's certificate.
    """
    rng = rng or random.Random()  # nosec B311 # noqa: S311 - jitter, not a secret
    if dialect_of(url) == "sqlite":
        # SQLAlchemy, which a process on PostgreSQL does not load: a quarter of its start, and 20 MB.
        from shared.storage.db.connections.sqlite import sqlite_pools

        return Database(*sqlite_pools(url, async_creator), "sqlite", rng)
    pool = PostgresPool(
        async_creator or _connector(url, statement_seconds, pooler, ca_file),
        pool_size,
        # A statement is prepared and run in two steps: a pooler must not change the connection in between.
        needs_transactions=pooler != "none",
    )
    return Database(pool, pool, "postgresql", rng)


def _connector(
    url: str, statement_seconds: float | None, pooler: Pooler, ca_file: Path | None
) -> "Callable[[], Awaitable[asyncpg.Connection[Any]]]":
    return partial(
        asyncpg.connect,
        **asyncpg_arguments(url),
        timeout=CONNECT_SECONDS,
        command_timeout=statement_seconds,
        record_class=PostgresRow,
        **connect_arguments(pooler, ca_file),
    )


async def check_durability(database: Database) -> str | None:
    """Return the setting by which a crash could lose a payment, in a sentence; None: there is none."""

    async def look(tx: Transaction) -> str | None:
        if tx.dialect == "postgresql":
            for setting, show in _SHOW.items():
                row = await tx.one(show)
                if row is None or row[0] == "off":
                    return f"PostgreSQL runs with {setting} = off"
            return None
        row = await tx.one(_SYNCHRONOUS)
        return None if row is not None and row[0] == 2 else "SQLite does not run with synchronous = FULL"

    return await database.read(look)
