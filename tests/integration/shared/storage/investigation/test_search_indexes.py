"""Indexes of searches: each reads few rows, whatever is in the table.

SQLite chooses without statistics; that PostgreSQL answers in time is shown by `make bench-operator`.
"""

from typing import Any

import pytest
from databases import Store
from payments import rows

from shared.payment.states import State
from shared.storage.db.engine import Database
from shared.storage.investigation.search import Filter, _Search

TIME: dict[str, Any] = {"created_from": 0, "created_before": 1}

#: Filters, and the index that each is searched by.
SEARCHES: dict[str, tuple[Filter, str]] = {
    "everybody's": (Filter(), "payments_by_age"),
    "everybody's of a time": (Filter(**TIME), "payments_by_age"),
    "everybody's of an amount": (Filter(amount_from=1, amount_to=1), "payments_by_age"),
    "everybody's of a result": (Filter(state=State.REFUSED), "payments_by_age"),
    "everybody's open ones": (Filter(state=State.IN_DOUBT), "payments_open"),
    "a merchant's": (Filter(merchant_id="m"), "payments_by_time"),
    "a merchant's of a time": (Filter(merchant_id="m", **TIME), "payments_by_time"),
    "an order's": (Filter(order_id="o"), "payments_by_order"),
    "a merchant's order": (Filter(merchant_id="m", order_id="o"), "payments_by_order"),
    "a card's": (Filter(card_last_four="0003"), "payments_by_card"),
    "a merchant's card": (Filter(merchant_id="m", card_last_four="0003", **TIME), "payments_by_card"),
    "an authorisation": (Filter(authorisation_number="1"), "payments_by_authorisation"),
    "a terminal's": (Filter(terminal_address="t"), "payments_by_terminal"),
    "a merchant's terminal": (Filter(merchant_id="m", terminal_address="t", **TIME), "payments_by_terminal"),
}  # fmt: skip


@pytest.fixture
async def sqlite(sqlite_store: Store) -> Any:
    opened = sqlite_store.open()
    yield opened
    await opened.close()


@pytest.mark.parametrize("name", SEARCHES)
async def test_a_search_reads_the_index_of_its_filter(sqlite: Database, name: str) -> None:
    """In the order of the list, so that a page ends the search; and no other payment is looked at."""
    wanted, index = SEARCHES[name]
    page = _Search.of(wanted, "sqlite", follows=True).page.on("sqlite")
    place = {"after_created_at": 0, "after_id": ""}
    given = {**wanted.parameters(), **place, "most": 1, "examined": 1}
    given = {name: value for name, value in given.items() if f":{name}" in page}

    plan = "\n".join(row.detail for row in await rows(sqlite, f"EXPLAIN QUERY PLAN {page}", **given))

    assert f"payments USING INDEX {index}" in plan
    is_in_order = index not in {"payments_by_order", "payments_open"}
    assert ("TEMP B-TREE" not in plan) is is_in_order


async def test_equal_charges_are_looked_for_by_card_and_without_a_card(sqlite: Database) -> None:
    """A busy terminal has hundreds of payments near each other, of one card few."""
    wanted = Filter(terminal_address="t", twin_within_ms=1)
    page = _Search.of(wanted, "sqlite", follows=False).page.on("sqlite")

    found = await rows(sqlite, f"EXPLAIN QUERY PLAN {page}", **wanted.parameters(), most=1, examined=1)

    plan = "\n".join(row.detail for row in found)
    assert "twin USING INDEX payments_by_card (card_last_four=? AND created_at>? AND created_at<?)" in plan
    assert (
        "twin USING INDEX payments_without_card (terminal_address=? AND created_at>? AND created_at<?)"
        in plan
    )
