"""The schema's version: the one that a database has, and the one that this release needs."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from shared.storage.db.engine import Database, Transaction
from shared.storage.db.schema.steps import is_too_new, is_too_old, needed
from shared.storage.db.statement import Dialect, Statement

#: The folder of the migrations.
MIGRATIONS: Final = Path(__file__).parents[2] / "migrations"
_REVISION: Final = re.compile(r'^revision = "([^"]+)"$', re.MULTILINE)

_HAS_VERSION: Final[dict[Dialect, Statement]] = {
    "postgresql": Statement("SELECT 1 WHERE to_regclass('alembic_version') IS NOT NULL"),
    "sqlite": Statement("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"),
}
_VERSION: Final = Statement("SELECT version_num FROM alembic_version")


class SchemaTooOld(Exception):
    """Raised for a schema that is older than this release's; the message names the command to run."""


class SchemaTooNew(Exception):
    """Raised for a schema without what this release uses, which a later release has removed."""


def known_versions(folder: Path = MIGRATIONS) -> list[str]:
    """Return this release's versions, oldest first: migrations' files are numbered.

    Alembic would run the files, and load SQLAlchemy for that: 0.3 s of each process's start.
    """
    files = sorted((folder / "versions").glob("[0-9]*.py"))
    return [_REVISION.findall(file.read_text("utf-8"))[0] for file in files]


async def schema_version(database: Database) -> str | None:
    """Return the version of a database's schema; None for an empty database."""

    async def look(tx: Transaction) -> str | None:
        if await tx.one(_HAS_VERSION[tx.dialect]) is None:
            return None
        row = await tx.one(_VERSION)
        return None if row is None else str(row.version_num)

    return await database.read(look)


async def check_schema(database: Database) -> None:
    """Raise SchemaTooOld or SchemaTooNew where this release cannot run on a database's schema.

    What a later release has added is accepted; what it has removed after its own start is not.
    """
    found, known = await schema_version(database), known_versions()
    if found is None or is_too_old(known, found):
        raise SchemaTooOld(
            f"the database's schema is {found or 'empty'} and this release needs {needed(known)}:"
            " run `cloud-terminal db migrate`"
        )
    refuse_too_new(known, found)


def refuse_too_new(known: Sequence[str], found: str) -> None:
    """Raise SchemaTooNew where a later release has removed what this one uses."""
    if is_too_new(known, found):
        raise SchemaTooNew(
            f"the database's schema is {found}: a later release has removed what this one ({known[-1]}) uses."
            " Run that release."
        )
