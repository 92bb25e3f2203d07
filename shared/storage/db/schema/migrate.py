"""Migrations of the schema to this release's version."""

import random
from functools import partial
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

from shared.settings.settings import Settings
from shared.storage.administration import tables as administration_tables
from shared.storage.db.connections.alchemy import AlchemyConnection, AlchemyPool
from shared.storage.db.connections.pooler import Pooler, alchemy_arguments
from shared.storage.db.connections.private_files import make_private_folder
from shared.storage.db.connections.sqlite import sqlite_pools
from shared.storage.db.connections.urls import dialect_of, sqlite_path
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.schema.steps import target
from shared.storage.db.schema.version import MIGRATIONS, known_versions, refuse_too_new
from shared.storage.db.statement import Statement
from shared.storage.investigation import tables as investigation_tables
from shared.storage.payments import tables as payment_tables
from shared.storage.retention import tables as retention_tables
from shared.storage.terminals import tables as terminal_tables
from shared.storage.webhooks import tables as webhook_tables

#: The modules that register the tables by being imported.
TABLE_MODULES: Final = (
    administration_tables,
    payment_tables,
    terminal_tables,
    webhook_tables,
    investigation_tables,
    retention_tables,
)
METADATA: Final = SQLModel.metadata

#: Two processes that start at once migrate one after the other: an advisory lock of this number.
_LOCK: Final = Statement(f"SELECT pg_advisory_xact_lock({0x436C6F7544})")


def _config(folder: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder))
    return config


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection, *, folder: Path, after: bool) -> tuple[str | None, str | None]:
    found, known = _current(connection), known_versions(folder)
    if found is not None:
        refuse_too_new(known, found)
    wanted = target(known, found, after=after)
    if wanted is not None:
        config = _config(folder)
        config.attributes["connection"] = connection
        command.upgrade(config, wanted)
    return found, _current(connection)


async def migrate_database(settings: Settings, *, after: bool = False) -> tuple[str | None, str | None]:
    """Migrate the settings' database, making SQLite's folder; return the versions before and after.

    `after`: the step after the last process of the previous release, too. Raises as `migrate`.
    """
    url = settings.database_url.get_secret_value()
    path = sqlite_path(url)
    if path is not None:
        make_private_folder(path.parent)
    return await migrate(url, settings.database_pooler, ca_file=settings.database_ca_file, after=after)


async def migrate(
    url: str,
    pooler: Pooler = "none",
    *,
    ca_file: Path | None = None,
    after: bool = False,
    folder: Path = MIGRATIONS,
) -> tuple[str | None, str | None]:
    """Run the missing migrations in one transaction; return the versions before and after.

    `after`: the step after the end of the previous release's processes, too, see `steps.py`.
    Alembic runs on a connection of SQLAlchemy's. Raises DatabaseUnavailable, CommitUnknown, SchemaTooNew.
    """

    async def work(tx: Transaction) -> tuple[str | None, str | None]:
        assert isinstance(tx.connection, AlchemyConnection)
        if tx.dialect == "postgresql":
            await tx.all(_LOCK)
        return await tx.connection.run_sync(partial(_upgrade, folder=folder, after=after))

    database = open_alchemy(url, pooler, ca_file)
    try:
        return await database.write(work)
    finally:
        await database.close()


def open_alchemy(url: str, pooler: Pooler = "none", ca_file: Path | None = None) -> Database:
    """Return the database behind `url` on SQLAlchemy, for what needs its connections, as Alembic does."""
    rng = random.SystemRandom()
    if dialect_of(url) == "sqlite":
        return Database(*sqlite_pools(url), "sqlite", rng)
    engine = create_async_engine(
        url,
        pool_size=1,
        isolation_level="READ COMMITTED",
        hide_parameters=True,
        # Without a limit of a statement: a migration of a large table may take long.
        connect_args=alchemy_arguments(pooler, ca_file),
    )
    pool = AlchemyPool(engine)
    return Database(pool, pool, "postgresql", rng)
