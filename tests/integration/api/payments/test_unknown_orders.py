"""Reversals and credits of orders that were not paid here: what the merchant's setting lets through."""

import pytest
from payments import rows
from running.api_alone import ApiAlone

from shared.payment.states import Event
from shared.storage.terminals.merchants import UnknownOrders

ASYNC = {"prefer": "respond-async"}


@pytest.mark.parametrize(
    ("unknown_orders", "word", "is_refused"),
    [
        (UnknownOrders(), "Cancel", True),
        (UnknownOrders(), "Credit", False),
        (UnknownOrders(reversals=True), "Cancel", False),
        (UnknownOrders(credits=False), "Credit", True),
    ],
)
async def test_an_order_that_nobody_knows_is_given_back_as_the_merchant_wants(
    api: ApiAlone, unknown_orders: UnknownOrders, word: str, is_refused: bool
) -> None:
    """A Cancel would reverse the terminal's newest other sale of that amount: not without being asked."""
    pos = await api.merchant(unknown_orders=unknown_orders)

    answered = await pos.order(transaction_type=word, order_id="never-seen", headers=ASYNC)

    if is_refused:
        body = answered.json()
        assert (answered.status_code, body["error"]["code"]) == (409, "unknown.order.conflict")
        assert body["error"]["details"]["safe_to_retry"] is False
        assert "payment" not in body
        assert await rows(api.database, "SELECT id FROM payments") == []
    else:
        assert answered.status_code == 202, answered.text


async def test_an_order_that_was_paid_here_needs_no_setting(api: ApiAlone) -> None:
    """Its debit is known and checked."""
    pos = await api.merchant(unknown_orders=UnknownOrders(credits=False))
    await api.settle(await api.claim(await pos.order_async(order_id="paid")), Event.ANSWERED_DONE)

    assert await pos.order_async(order_id="paid", transaction_type="Cancel")
