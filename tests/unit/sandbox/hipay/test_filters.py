"""The Console's list shows the transactions that pass its filters."""

from in_memory.orders_and_pushes import new_ledger, order, push, take

from sandbox.hipay.filters import Filters
from sandbox.hipay.rules.ledger import Ledger
from sandbox.hipay.rules.order_and_push import Kind


def _filled_ledger() -> Ledger:
    ledger = new_ledger()
    for number, brand in enumerate(("cb", "visa"), start=1):
        one = push(Kind.AUTHORISATION, number, brand=brand)
        take(ledger, order(number, order_id=f"Shop-{number}"), one)
    return ledger


def _shown(**query: str) -> list[str]:
    return [one.order.order_id for one in Filters(**query).apply(_filled_ledger().transactions)]


def test_each_filter_narrows_the_list() -> None:
    """Part of the order's id in either case, brand, first and last day; the newest first."""
    assert _shown() == ["Shop-2", "Shop-1"]
    assert _shown(order_id="sHOP-1") == ["Shop-1"]
    assert _shown(brand="visa") == ["Shop-2"]
    assert _shown(from_day="2026-03-05", to_day="2026-03-05") == ["Shop-2", "Shop-1"]
    assert _shown(from_day="2026-03-06") == []
    assert _shown(to_day="2026-03-04") == []
