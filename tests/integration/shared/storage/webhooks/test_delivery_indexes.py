"""Indexes of lists and replays of deliveries: each search reads few rows, whatever is in the tables.

SQLite chooses without statistics, PostgreSQL by its own; there it is shown that the
statements admit the indexes of dead deliveries.
"""

from typing import Any

import pytest
from databases import Store

from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.webhooks import delivery_list, replays
from shared.storage.webhooks.delivery_list import DeliveryFilter

#: Filters, and the index that each is searched by.
LISTS: dict[str, tuple[DeliveryFilter, str]] = {
    "a merchant's": (DeliveryFilter(merchant_id="m", kind="merchant"), "deliveries_by_time"),
    "a merchant's dead": (
        DeliveryFilter(merchant_id="m", kind="merchant", state="dead"), "deliveries_dead_of_merchant",
    ),
    "a kind's dead": (DeliveryFilter(kind="hipay", state="dead"), "deliveries_dead_of_kind"),
    "all dead": (DeliveryFilter(state="dead"), "deliveries_dead_of_kind"),
    "a payment's": (
        DeliveryFilter(merchant_id="m", kind="merchant", payment_id="p"), "deliveries_of_payment",
    ),
    "a payment's dead": (
        DeliveryFilter(merchant_id="m", kind="merchant", payment_id="p", state="dead"),
        "deliveries_of_payment",
    ),
}  # fmt: skip


async def plan(database: Database, statement: Statement, **parameters: object) -> str:
    """Return the plan's text."""
    explain = "EXPLAIN QUERY PLAN" if database.dialect == "sqlite" else "EXPLAIN"

    async def look(tx: Transaction) -> Any:
        if tx.dialect == "postgresql":
            # A table without rows is read as a whole otherwise.
            await tx.run(Statement("SET LOCAL enable_seqscan = off"))
        return await tx.all(Statement(f"{explain} {statement.on(tx.dialect)}"), **parameters)

    return "\n".join(str(row) for row in await database.write(look))


@pytest.fixture
async def sqlite(sqlite_store: Store) -> Any:
    opened = sqlite_store.open()
    yield opened
    await opened.close()


@pytest.mark.parametrize("name", LISTS)
async def test_a_list_is_searched_by_the_index_of_its_filter(sqlite: Database, name: str) -> None:
    """Not by one of everything that a merchant or a kind ever had."""
    wanted, index = LISTS[name]
    statement = delivery_list._page_statement(wanted.conditions(), follows=False)

    assert f"INDEX {index}" in await plan(sqlite, statement, most=21, **wanted.parameters())


@pytest.mark.parametrize(
    "wanted",
    [DeliveryFilter(kind="hipay", state="dead"), DeliveryFilter(state="dead")],
    ids=["of-a-kind", "all"],
)
async def test_dead_deliveries_are_found_by_their_own_index(
    database: Database, wanted: DeliveryFilter
) -> None:
    """For lists and for replays: a parameter would not match the condition of the partial index."""
    place: dict[str, Any] = {"after_created_at": -1, "after_id": ""}
    listing = delivery_list._page_statement(wanted.conditions(), follows=False)
    replaying = replays._lock_batch(wanted.conditions())

    assert "deliveries_dead_of" in await plan(database, listing, most=21, **wanted.parameters())
    assert "deliveries_dead_of" in await plan(database, replaying, most=500, **wanted.parameters(), **place)
