"""Migrations of the schema to this release's version."""

import random
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

from shared.storage.db.alchemy import AlchemyConnection, AlchemyPool
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.pooler import Pooler, alchemy_arguments
from shared.storage.db.sqlite import sqlite_pools
from shared.storage.db.statement import Dialect, Statement
from shared.storage.payments import tables as payment_tables
from shared.storage.terminals import tables as terminal_tables
from shared.storage.webhooks import tables as webhook_tables

#: The modules that register the tables by being imported.
TABLE_MODULES: Final = (payment_tables, terminal_tables, webhook_tables)
METADATA: Final = SQLModel.metadata

#: Two processes that start at once migrate one after the other: an advisory lock of this number.
_LOCK: Final = Statement(f"SELECT pg_advisory_xact_lock({0x436C6F7544})")

_HAS_VERSION: Final[dict[Dialect, Statement]] = {
    "postgresql": Statement("SELECT 1 WHERE to_regclass('alembic_version') IS NOT NULL"),
    "sqlite": Statement("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"),
}
_VERSION: Final = Statement("SELECT version_num FROM alembic_version")


class SchemaTooOld(Exception):
    """Raised for a schema that is older than this release's; the message names the command to run."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parents[1] / "migrations"))
    return config


def newest_version() -> str:
    """Return the version of the schema that this release needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection) -> tuple[str | None, str | None]:
    before = _current(connection)
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return before, _current(connection)


async def migrate(url: str, pooler: Pooler = "none") -> tuple[str | None, str | None]:
    """Run the missing migrations in one transaction; return the versions before and after.

    Alembic runs on a connection of SQLAlchemy's. Raises DatabaseUnavailable, CommitUnknown.
    """

    async def work(tx: Transaction) -> tuple[str | None, str | None]:
        assert isinstance(tx.connection, AlchemyConnection)
        if tx.dialect == "postgresql":
            await tx.all(_LOCK)
        return await tx.connection.run_sync(_upgrade)

    database = open_alchemy(url, pooler)
    try:
        return await database.write(work)
    finally:
        await database.close()


def open_alchemy(url: str, pooler: Pooler = "none") -> Database:
    """Return the database behind `url` on SQLAlchemy, for what needs its connections, as Alembic does."""
    parsed, rng = make_url(url), random.SystemRandom()
    if parsed.get_backend_name() == "sqlite":
        return Database(*sqlite_pools(parsed), "sqlite", rng)
    engine = create_async_engine(
        parsed,
        pool_size=1,
        isolation_level="READ COMMITTED",
        hide_parameters=True,
        # Without a limit of a statement: a migration of a large table may take long.
        connect_args=alchemy_arguments(pooler),
    )
    pool = AlchemyPool(engine)
    return Database(pool, pool, "postgresql", rng)


async def check_schema(database: Database) -> None:
    """Raise SchemaTooOld where this release's migrations have not run; a newer schema is accepted."""

    async def look(tx: Transaction) -> str | None:
        if await tx.one(_HAS_VERSION[tx.dialect]) is None:
            return None
        row = await tx.one(_VERSION)
        return None if row is None else str(row.version_num)

    found = await database.read(look)
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if found is None or (found in known and found != newest_version()):
        raise SchemaTooOld(
            f"the database's schema is {found or 'empty'} and this release needs {newest_version()}:"
            " run `cloud-terminal migrate`"
        )
