"""The table of PostgreSQL grants by account."""

from shared.storage.db.accounts import GRANTS
from shared.storage.db.schema.migrate import METADATA


def test_every_table_is_granted_to_an_account() -> None:
    """A new table needs its grants: without them, production refuses what the tests' owner may do."""
    granted = {table for tables in GRANTS.values() for table in tables}

    assert granted == {table.name for table in METADATA.sorted_tables}
