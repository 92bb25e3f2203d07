"""The schema's version: the one that a database has, and the one that this release needs."""

from pathlib import Path
from typing import Final

from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Dialect, Statement

_VERSIONS: Final = Path(__file__).parents[1] / "migrations" / "versions"

_HAS_VERSION: Final[dict[Dialect, Statement]] = {
    "postgresql": Statement("SELECT 1 WHERE to_regclass('alembic_version') IS NOT NULL"),
    "sqlite": Statement("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"),
}
_VERSION: Final = Statement("SELECT version_num FROM alembic_version")


class SchemaTooOld(Exception):
    """Raised for a schema that is older than this release's; the message names the command to run."""


def known_versions() -> list[str]:
    """Return this release's versions, oldest first: the numbers that the migrations' names begin with.

    Alembic would read the files themselves, and with them SQLAlchemy: 0.3 s of each process's start.
    """
    return sorted(path.name.partition("_")[0] for path in _VERSIONS.glob("[0-9]*.py"))


def newest_version() -> str:
    """Return the version of the schema that this release needs."""
    return known_versions()[-1]


async def schema_version(database: Database) -> str | None:
    """Return the version of a database's schema; None for an empty database."""

    async def look(tx: Transaction) -> str | None:
        if await tx.one(_HAS_VERSION[tx.dialect]) is None:
            return None
        row = await tx.one(_VERSION)
        return None if row is None else str(row.version_num)

    return await database.read(look)


async def check_schema(database: Database) -> None:
    """Raise SchemaTooOld where this release's migrations have not run; a newer schema is accepted."""
    found, known = await schema_version(database), known_versions()
    if found is None or (found in known and found != known[-1]):
        raise SchemaTooOld(
            f"the database's schema is {found or 'empty'} and this release needs {known[-1]}:"
            " run `cloud-terminal db migrate`"
        )
