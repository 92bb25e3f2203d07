"""Migrations of the schema to this release's version."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlmodel import SQLModel

from shared.storage.db.engine import Database, Transaction
from shared.storage.payments import tables as payment_tables
from shared.storage.terminals import tables as terminal_tables
from shared.storage.webhooks import tables as webhook_tables

#: The modules that register the tables by being imported.
TABLE_MODULES: Final = (payment_tables, terminal_tables, webhook_tables)
METADATA: Final = SQLModel.metadata

#: Two processes that start at once migrate one after the other: an advisory lock of this number.
_LOCK_NUMBER: Final = 0x436C6F7544


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


async def migrate(database: Database) -> tuple[str | None, str | None]:
    """Run the missing migrations in one transaction; return the versions before and after."""

    async def work(tx: Transaction) -> tuple[str | None, str | None]:
        if tx.dialect == "postgresql":
            await tx.connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK_NUMBER})"))
        return await tx.connection.run_sync(_upgrade)

    return await database.write(work)


async def check_schema(database: Database) -> None:
    """Raise SchemaTooOld where this release's migrations have not run; a newer schema is accepted."""

    async def look(tx: Transaction) -> str | None:
        return await tx.connection.run_sync(_current)

    found = await database.read(look)
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if found is None or (found in known and found != newest_version()):
        raise SchemaTooOld(
            f"the database's schema is {found or 'empty'} and this release needs {newest_version()}:"
            " run `cloud-terminal migrate`"
        )
