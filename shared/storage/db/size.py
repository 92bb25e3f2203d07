"""The size of the database."""

from typing import Final

from shared.storage.db.engine import Database
from shared.storage.db.statement import Dialect, Statement

_SIZE: Final[dict[Dialect, Statement]] = {
    "postgresql": Statement("SELECT pg_database_size(current_database()) AS size_bytes"),
    "sqlite": Statement(
        "SELECT page_count * page_size AS size_bytes FROM pragma_page_count(), pragma_page_size()"
    ),
}


async def database_size(database: Database) -> int:
    """Return the bytes that the database occupies. Raises DatabaseUnavailable."""
    row = await database.read(lambda tx: tx.one(_SIZE[tx.dialect]))
    return 0 if row is None else int(row.size_bytes)
