"""Connections as every process opens them: reachable, durable, with this release's schema."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from shared.settings.settings import Settings, SettingsError
from shared.storage.db.engine import POOL_SECONDS, Database, Transaction
from shared.storage.db.migrate import SchemaTooOld, check_schema, migrate
from shared.storage.db.pooler import Pooler, connect_arguments, pooler_problem
from shared.storage.db.private_files import make_private, make_private_folder, warn_of_open_folder

CONNECT_SECONDS: Final = 5.0
#: PostgreSQL: limit of one statement; a hanging server must not keep a payment for ever.
STATEMENT_SECONDS: Final = 30.0
#: SQLite: wait for another process's writer.
SQLITE_BUSY_SECONDS: Final = 5.0


@asynccontextmanager
async def opened_database(settings: Settings) -> AsyncIterator[Database]:
    """Yield the database of the settings, and close it.

    Raises DatabaseUnavailable, SchemaTooOld, and SettingsError where a crash could lose a payment.
    """
    pooler = settings.database_pooler
    url = settings.database_url.get_secret_value()
    path = sqlite_path(make_url(url))
    if path is not None and not path.exists():
        raise SchemaTooOld(f"there is no database {path}: run `cloud-terminal migrate`")
    database = open_database(url, pool_size=settings.database_pool_size, pooler=pooler)
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


async def migrate_database(settings: Settings) -> tuple[str | None, str | None]:
    """Migrate the settings' database, making SQLite's folder; return the versions before and after."""
    url = settings.database_url.get_secret_value()
    path = sqlite_path(make_url(url))
    if path is not None:
        make_private_folder(path.parent)
    # A migration of a large table may take long.
    database = open_database(
        url,
        pool_size=1,
        rng=random.SystemRandom(),
        statement_seconds=None,
        pooler=settings.database_pooler,
    )
    try:
        return await migrate(database)
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
) -> Database:
    """Return the database behind `url` (`postgresql+asyncpg://...` or `sqlite+aiosqlite:///PATH`).

    Nothing is connected yet. `async_creator` replaces the driver's connect function. `pooler`: lends
    PostgreSQL's connections, see `shared.storage.db.pooler`.
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
        # An error's text goes into logs; the parameters hold clients' data.
        hide_parameters=True,
        connect_args={
            "timeout": CONNECT_SECONDS,
            "command_timeout": statement_seconds,
            **connect_arguments(pooler),
        },
        **extra,
    )
    # A statement is prepared and run in two steps: a pooler must not change the connection in between.
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
            # Returning None leaves the connecting to the driver.
            event.listen(engine.sync_engine, "do_connect", lambda *_: make_private(path))
    # The reader begins no transaction: each of its statements sees the newest commit.
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
    """Return the setting by which a crash could lose a payment, in a sentence; None: there is none."""

    async def look(tx: Transaction) -> str | None:
        if tx.dialect == "postgresql":
            for setting in ("fsync", "synchronous_commit"):
                if (await tx.connection.execute(text(f"SHOW {setting}"))).scalar_one() == "off":
                    return f"PostgreSQL runs with {setting} = off"
            return None
        row = (await tx.connection.execute(text("PRAGMA synchronous"))).scalar_one()
        return None if row == 2 else "SQLite does not run with synchronous = FULL"

    return await database.read(look)
