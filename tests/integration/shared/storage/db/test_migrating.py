"""Migrations from nothing to this release, once, twice and by two processes at once; on both databases."""

import asyncio
import shutil
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from databases import Store
from payments import change, rows
from sqlalchemy import Connection

from shared.storage.db.connections.alchemy import AlchemyConnection
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.opening import open_database
from shared.storage.db.schema.migrate import (
    METADATA,
    migrate,
    open_alchemy,
)
from shared.storage.db.schema.version import (
    MIGRATIONS,
    SchemaTooNew,
    SchemaTooOld,
    check_schema,
    known_versions,
)
from shared.storage.functions.catalogue import FUNCTIONS
from shared.storage.functions.purge_function import PURGE


async def test_an_empty_database_is_migrated_once(empty_url: str) -> None:
    """Before it a process ends with the command to run; a second migration changes nothing."""
    database = open_database(empty_url)
    try:
        with pytest.raises(SchemaTooOld, match="run `cloud-terminal db migrate`"):
            await check_schema(database)

        assert await migrate(empty_url) == (None, known_versions()[-1])
        assert await migrate(empty_url) == (known_versions()[-1], known_versions()[-1])
        await check_schema(database)
    finally:
        await database.close()


async def test_two_processes_that_migrate_at_once_do_it_once(empty_url: str) -> None:
    """One waits for the other and finds the work done."""
    versions = await asyncio.gather(*(migrate(empty_url) for _ in range(2)))

    assert sorted(versions, key=str) == [
        (known_versions()[-1], known_versions()[-1]),
        (None, known_versions()[-1]),
    ]


async def test_a_newer_schema_is_accepted(empty_url: str) -> None:
    """The previous release goes on while the next one's migration has run."""
    await migrate(empty_url)
    database = open_database(empty_url)
    try:
        await change(database, "UPDATE alembic_version SET version_num = '1.9999'")

        await check_schema(database)
    finally:
        await database.close()


async def test_the_migration_makes_the_functions_with_the_callers_rights(postgres_database: Database) -> None:
    """Volatile: each of its statements sees what was committed before. Not more than its caller may do,
    but for the purge, which checks itself what it deletes."""
    found = await rows(
        postgres_database,
        "SELECT proname, provolatile::text AS volatility, prosecdef FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace AND prorettype <> 'trigger'::regtype ORDER BY proname",
    )

    assert [tuple(row) for row in found] == sorted(
        (function.name, "v", function is PURGE) for function in FUNCTIONS
    )


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


def test_the_versions_that_processes_know_are_alembics() -> None:
    """Processes read the files' texts, Alembic runs them; file after file the versions follow one another."""
    revisions = ScriptDirectory(str(MIGRATIONS)).walk_revisions()

    assert known_versions() == [one.revision for one in revisions][::-1]


#: A column is added before the next release's processes start, and one removed after the old ones' end.
NEXT_RELEASE = {
    "1.1": 'op.create_table("shops", sa.Column("id", sa.Text()), sa.Column("town", sa.Text()))',
    "1.2": 'op.add_column("shops", sa.Column("city", sa.Text()))',
    "2.3": 'op.drop_column("shops", "town")',
}


def next_release(folder: Path, *names: str) -> Path:
    """Return a folder of migrations with these versions."""
    (folder / "versions").mkdir(parents=True)
    shutil.copy(MIGRATIONS / "env.py", folder)
    for earlier, name in zip((None, *names), names, strict=False):
        names_of_it = f'revision = "{name}"\ndown_revision = {earlier!r}\n'
        imports = "import sqlalchemy as sa\nfrom alembic import op\n"
        step = f"def upgrade(): {NEXT_RELEASE[name]}\n"
        (folder / "versions" / f"{name}.py").write_text(imports + names_of_it + step)
    return folder


async def test_a_column_is_removed_only_once_nobody_uses_it(empty_url: str, tmp_path: Path) -> None:
    """Old and new statements run between the two steps; after the second one only the new ones."""
    first, second = next_release(tmp_path / "1", "1.1"), next_release(tmp_path / "2", *NEXT_RELEASE)
    await migrate(empty_url, folder=first)
    database = open_database(empty_url)
    try:
        assert await migrate(empty_url, folder=second) == ("1.1", "1.2")
        await change(database, "INSERT INTO shops (id, town) VALUES ('a', 'Nantes')")
        await change(database, "INSERT INTO shops (id, city) VALUES ('b', 'Rennes')")

        assert await migrate(empty_url, folder=second, after=True) == ("1.2", "2.3")
        await change(database, "INSERT INTO shops (id, city) VALUES ('c', 'Brest')")
        with pytest.raises(Exception, match="town"):
            await change(database, "INSERT INTO shops (id, town) VALUES ('d', 'Vannes')")
        with pytest.raises(SchemaTooNew, match="Run that release"):
            await migrate(empty_url, folder=first)
        with pytest.raises(SchemaTooNew):
            await check_schema(database)
    finally:
        await database.close()
