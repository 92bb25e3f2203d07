"""Migrations from nothing to this release, once, twice and by two processes at once; on both databases."""

import asyncio
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from databases import Store
from payments import change, rows
from sqlalchemy import Connection

from shared.storage import migrations
from shared.storage.db.alchemy import AlchemyConnection
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.migrate import (
    METADATA,
    migrate,
    open_alchemy,
)
from shared.storage.db.opening import open_database
from shared.storage.db.schema import SchemaTooOld, check_schema, known_versions, newest_version
from shared.storage.functions.catalogue import FUNCTIONS


async def test_an_empty_database_is_migrated_once(empty_url: str) -> None:
    """Before it a process ends with the command to run; a second migration changes nothing."""
    database = open_database(empty_url)
    try:
        with pytest.raises(SchemaTooOld, match="run `cloud-terminal db migrate`"):
            await check_schema(database)

        assert await migrate(empty_url) == (None, newest_version())
        assert await migrate(empty_url) == (newest_version(), newest_version())
        await check_schema(database)
    finally:
        await database.close()


async def test_two_processes_that_migrate_at_once_do_it_once(empty_url: str) -> None:
    """One waits for the other and finds the work done."""
    versions = await asyncio.gather(*(migrate(empty_url) for _ in range(2)))

    assert sorted(versions, key=str) == [
        (newest_version(), newest_version()),
        (None, newest_version()),
    ]


async def test_a_newer_schema_is_accepted(empty_url: str) -> None:
    """The previous release goes on while the next one's migration has run."""
    await migrate(empty_url)
    database = open_database(empty_url)
    try:
        await change(database, "UPDATE alembic_version SET version_num = '9999'")

        await check_schema(database)
    finally:
        await database.close()


async def test_the_migration_makes_the_functions_with_the_callers_rights(postgres_database: Database) -> None:
    """Volatile: each of its statements sees what was committed before. Not more than its caller may do."""
    found = await rows(
        postgres_database,
        "SELECT proname, provolatile::text AS volatility, prosecdef FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace ORDER BY proname",
    )

    assert [tuple(row) for row in found] == sorted((function.name, "v", False) for function in FUNCTIONS)


async def test_the_migrations_make_what_the_tables_say(store: Store) -> None:
    """The migrated schema equals the tables."""

    def differences(connection: Connection) -> object:
        return compare_metadata(MigrationContext.configure(connection), METADATA)

    async def look(tx: Transaction) -> object:
        assert isinstance(tx.connection, AlchemyConnection)
        return await tx.connection.run_sync(differences)

    database = open_alchemy(store.url)
    try:
        assert await database.read(look) == []
    finally:
        await database.close()


def test_the_versions_are_the_numbers_of_the_migrations_files() -> None:
    """Processes read the names alone, Alembic the files."""
    revisions = ScriptDirectory(str(Path(migrations.__file__).parent)).walk_revisions()

    assert known_versions() == sorted(one.revision for one in revisions)
