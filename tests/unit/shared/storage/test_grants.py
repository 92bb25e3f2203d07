"""Which accounts may do what on PostgreSQL, as a table."""

from shared.storage.db.accounts import GRANTS
from shared.storage.db.migrate import METADATA


def test_every_table_is_granted_to_somebody() -> None:
    """A new table needs its line: without one, production refuses what the tests' owner may do."""
    granted = {table for tables in GRANTS.values() for table in tables}

    assert granted == {table.name for table in METADATA.sorted_tables}
