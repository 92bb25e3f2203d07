"""Plans of all statements in a large database: a cost does not follow the number of rows ever stored."""

import sqlite3
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import asyncpg
from sqlalchemy.engine import make_url

from bench.growth.data import Installation, fill
from bench.growth.statements import (
    SMALL_TABLES,
    WHOLE_TABLE,
    cost,
    statements,
    whole_tables_of_any_values,
)
from shared.storage.db.schema.migrate import migrate
from shared.storage.db.statement import Statement

#: Every table that grows has too many rows for a plan that reads it as a whole.
LARGE = Installation(terminals=20_000, payments=20_000)
#: A page of the feed gives positions to 100 events, each in six indexes.
PAGES_AT_MOST = {"webhooks.feed._PLACE": 3_000}
#: The 60 queued payments and their terminals are 200 pages; all payments are 1,400.
PAGES_OF_OTHERS = 400
#: The first rows of a table in its own order or an index's.
IN_ORDER = {"payments.operators._ACTIONS", "retention.ages._AGES", "investigation.day_totals._TIMES"}


async def test_no_statement_reads_a_growing_table_as_a_whole(empty_postgres_url: str) -> None:
    """Neither with values, nor with the plan that a prepared statement may use for any values."""
    await migrate(empty_postgres_url)
    plain = make_url(empty_postgres_url).set(drivername="postgresql")
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


def test_no_statement_reads_a_growing_table_as_a_whole_on_sqlite(sqlite_template: Path) -> None:
    """SQLite chooses without statistics: the plans of an empty database are those of any size."""
    with closing(sqlite3.connect(sqlite_template)) as connection:
        found = {
            name: read_as_a_whole(connection, statement) - SMALL_TABLES
            for name, statement in statements("sqlite").items()
            if name not in WHOLE_TABLE.keys() | IN_ORDER
        }

    assert {name: tables for name, tables in found.items() if tables} == {}


def read_as_a_whole(connection: sqlite3.Connection, statement: Statement) -> set[str]:
    """Return the tables, and the indexes of all rows of one, that the statement's program starts to read at
    an end."""
    places = dict(
        connection.execute(
            "SELECT rootpage, tbl_name FROM sqlite_master WHERE sql IS NULL OR sql NOT LIKE '%INDEX%WHERE%'"
        ).fetchall()
    )
    unbound: defaultdict[str, None] = defaultdict(lambda: None)
    steps = connection.execute(f"EXPLAIN {statement.on('sqlite')}", unbound).fetchall()
    cursors = {
        step[2]: places[step[3]]
        for step in steps
        if step[1] in {"OpenRead", "OpenWrite"} and step[3] in places
    }
    return {cursors[step[2]] for step in steps if step[1] in {"Rewind", "Last"} and step[2] in cursors}


def test_the_statements_of_every_part_are_looked_at() -> None:
    """A statement that a loop runs is found by itself, without being named here."""
    found = statements()

    assert {"terminals.takeover._ORPHANS", "payments.queue._OVERDUE", "webhooks.feed._READ"} <= found.keys()
    assert found.keys() >= WHOLE_TABLE.keys()
    assert all(statement.numbered[0] for statement in found.values())
