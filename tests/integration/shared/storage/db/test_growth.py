"""Plans of all statements in a large database: what a statement costs does not follow what was ever stored.

SQLite chooses without statistics, so that its plans are those of any size.
"""

import asyncpg
from databases import Store
from sqlalchemy.engine import make_url

from bench.growth_data import Size, fill
from bench.growth_statements import (
    WHOLE_TABLE,
    cost,
    numbered,
    statements,
    whole_tables_of_any_values,
)

#: Every table that grows has too many rows for a plan that reads it as a whole.
LARGE = Size(terminals=20_000, payments=20_000)
#: A page of the feed gives positions to 100 events, each in six indexes.
PAGES_AT_MOST = {"webhooks.feed._PLACE": 3_000}
#: The 60 queued payments and their terminals are 200 pages; all payments are 1,400.
PAGES_OF_OTHERS = 400


async def test_no_statement_reads_a_growing_table_as_a_whole(postgres_store: Store) -> None:
    """Neither with values, nor with the plan that a prepared statement may use for any values."""
    plain = make_url(postgres_store.url).set(drivername="postgresql")
    connection = await asyncpg.connect(plain.render_as_string(hide_password=False))
    try:
        await fill(connection, LARGE)
        failed = []
        for name, statement in statements().items():
            if name in WHOLE_TABLE:
                continue
            found = await cost(connection, statement, runs=1)
            whole = found.whole_tables | await whole_tables_of_any_values(connection, statement)
            if whole or found.pages > PAGES_AT_MOST.get(name, PAGES_OF_OTHERS):
                failed.append((name, sorted(whole), found.pages))
    finally:
        await connection.close()

    assert failed == []


def test_the_statements_of_every_part_are_looked_at() -> None:
    """A statement that a loop runs is found by itself, without being named here."""
    found = statements()

    assert {"terminals.takeover._ORPHANS", "payments.queue._OVERDUE", "webhooks.feed._READ"} <= found.keys()
    assert found.keys() >= WHOLE_TABLE.keys()
    assert all(numbered(statement)[0] for statement in found.values())
