"""A sale's standing by its answers."""

from typing import Any

import pytest

from sandbox.register.sale import Sale, SentOrder, Standing

ORDER = {"order": {"order_id": "1", "transaction_type": "Debit", "price": {"amount": 100}}}


def payment(state: str, *, safe: bool) -> dict[str, Any]:
    return {"payment": {"state": state, "safe_to_retry": safe}}


@pytest.mark.parametrize(
    ("status", "body", "standing"),
    [
        (200, {"paymentStatus": "Success", **payment("succeeded", safe=False)}, Standing.PAID),
        (200, {"paymentStatus": "Failed", **payment("refused", safe=True)}, Standing.NOT_PAID),
        (502, {"error": {}, **payment("unreachable", safe=True)}, Standing.NOT_PAID),
        (504, {"error": {}, **payment("in_doubt", safe=False)}, Standing.UNKNOWN),
        (500, {"error": {"details": {"safe_to_retry": True}}}, Standing.NOT_PAID),
        (500, None, Standing.UNKNOWN),
        (409, {"error": {"details": {"safe_to_retry": False}}}, Standing.UNKNOWN),
        (400, {"error": {"code": "x", "details": {"path": "order"}}}, Standing.REFUSED),
        (None, None, Standing.UNKNOWN),
    ],
    ids=["paid", "refused", "unreachable", "doubt", "broker-away", "unread", "conflict", "wrong", "none"],
)
def test_only_a_certain_answer_says_that_nothing_was_charged(
    status: int | None, body: dict[str, Any] | None, standing: Standing
) -> None:
    """Without `safe_to_retry` the sale's result is not known."""
    sale = Sale(1, ORDER, 0, [SentOrder("r", 0, 1, status, body)])

    assert sale.standing is standing


@pytest.mark.parametrize(
    ("operation", "done", "not_done"),
    [
        ("Debit", "paid", "not paid"),
        ("Cancel", "reversed", "not reversed"),
        ("Credit", "refunded", "not refunded"),
    ],
)
def test_a_sale_ends_in_the_words_of_its_operation(operation: str, done: str, not_done: str) -> None:
    """Nobody pays in a reversal or a credit."""
    order = {"order": {**ORDER["order"], "transaction_type": operation}}
    success = {"paymentStatus": "Success", **payment("succeeded", safe=False)}
    failure = {"paymentStatus": "Failed", **payment("refused", safe=True)}

    results = [Sale(1, order, 0, [SentOrder("r", 0, 1, 200, body)]).result for body in (success, failure)]
    looked_up = Sale(1, order, 0, [SentOrder("r", 0, 1, 200, success, what="look")])

    assert results == [done, not_done]
    assert (looked_up.result, looked_up.is_done) == (done, True)


def test_a_running_request_means_waiting() -> None:
    """Also where an earlier request was answered."""
    sale = Sale(
        1, ORDER, 0, [SentOrder("r", 0, 1, 502, payment("unreachable", safe=True)), SentOrder("s", 2)]
    )

    assert sale.standing is Standing.WAITING


def test_a_look_up_of_the_payment_is_an_answer() -> None:
    """It has no payment status where the payment is still in doubt."""
    look = SentOrder("r", 0, 1, 200, payment("in_doubt", safe=False), what="look")
    assert Sale(1, ORDER, 0, [look]).standing is Standing.UNKNOWN

    look.body = payment("succeeded", safe=False)
    assert Sale(1, ORDER, 0, [look]).standing is Standing.PAID
