"""A push finds its order by our reference, else by contract, rank and amount if exactly one fits."""

from dataclasses import replace
from typing import Any

import pytest
from halves import CONTRACT, T0, new_ledger, order, push, statuses, take

from api.operator.gateway_routes import GatewayReport, MaskedReport
from sandbox.hipay.rules.actions import PushJoined
from sandbox.hipay.rules.evidence import report_of_join, report_of_push
from sandbox.hipay.rules.matching import By, Joined, Waiting, fits, join
from sandbox.hipay.rules.order_and_push import Contract, Kind, Operation, OrderNotice


def _orders(*orders: OrderNotice) -> dict[str, OrderNotice]:
    return {one.reference: one for one in orders}


def test_a_reference_names_its_order_whatever_else_fits() -> None:
    """Two equal orders, and the push says which."""
    first, second = order(1), order(2)

    joined = join(push(Kind.AUTHORISATION, 2), _orders(first, second), ())

    assert joined == Joined(second, By.REFERENCE)


def test_a_reference_whose_notification_is_late_waits_and_takes_no_other_order() -> None:
    """Never joined to an order that only looks like it."""
    assert join(push(Kind.AUTHORISATION, 2), _orders(order(1)), ()) is Waiting.NO_NOTIFICATION


def test_without_reference_the_one_order_that_fits_is_taken() -> None:
    """And an order that has its transaction fits no more."""
    first, second = order(1), order(2)
    orders, lost = _orders(first, second), push(Kind.AUTHORISATION, None, transaction=9)

    assert join(lost, _orders(first), ()) == Joined(first, By.FIT)
    assert join(lost, orders, ()) is Waiting.SEVERAL_ORDERS_FIT
    assert join(lost, orders, {first.reference}) == Joined(second, By.FIT)
    assert join(lost, orders, set(orders)) is Waiting.NO_ORDER_FITS


@pytest.mark.parametrize(
    "change",
    [
        {"amount_cents": 4001},
        {"currency": "USD"},
        {"contract": "7654321"},
        {"contract": None},
        {"rank": "002"},
        {"operation": Operation.CREDIT},
        {"at_ms": T0 - 5_001},
        {"at_ms": T0 + 300_001},
    ],
    ids=str,
)
def test_what_differs_does_not_fit(change: dict[str, Any]) -> None:
    """Contract, rank, amount, currency, operation and time must all agree."""
    lost = push(Kind.AUTHORISATION, None, transaction=9)

    assert fits(lost, order())
    assert not fits(replace(lost, **change), order())


@pytest.mark.parametrize("at_ms", [T0 - 5_000, T0 + 300_000])
def test_the_session_lasts_so_long(at_ms: int) -> None:
    """From a clock a little behind to the end of the longest session."""
    assert fits(replace(push(Kind.AUTHORISATION, None, transaction=9), at_ms=at_ms), order())


def test_an_order_without_contracts_fits_nothing() -> None:
    """And one that names no rank fits any rank of its contract."""
    lost = push(Kind.AUTHORISATION, None, transaction=9)

    assert not fits(lost, order(contracts=()))
    assert fits(lost, order(contracts=(Contract("7654321"), Contract(CONTRACT.merchant_contract))))


def test_later_records_follow_the_transaction_that_was_joined() -> None:
    """The collection of a transaction whose authorisation was joined, whatever fits by then."""
    ledger = new_ledger()
    take(ledger, order(1), push(Kind.AUTHORISATION, None, transaction=9))

    actions = take(ledger, order(2), push(Kind.COLLECTION, None, transaction=9))

    assert statuses(actions) == [118]
    assert [one.order.reference for one in ledger.transactions] == [order(1).reference]


def test_an_ambiguous_push_is_joined_once_the_other_order_has_its_own() -> None:
    """Two equal orders, one push without reference: it waits, until the other is known to be another's."""
    ledger = new_ledger()

    actions = take(ledger, order(1), order(2), push(Kind.AUTHORISATION, None, transaction=9))
    assert statuses(actions) == []
    actions = take(ledger, push(Kind.AUTHORISATION, 1))

    assert statuses(actions) == [116, 116]
    assert ledger.waiting_pushes() == []


def test_a_record_that_carries_our_reference_proves_and_a_joined_one_hints() -> None:
    """`reference` where it stands in the record itself, `payment_id` where we joined it."""
    own = push(Kind.COLLECTION, 1)
    lost = push(Kind.COLLECTION, None, transaction=9, authorisation_number="184117")
    ledger = new_ledger()

    proof = report_of_push(own)
    (joined,) = [one for one in take(ledger, order(2), lost) if isinstance(one, PushJoined)]
    hint = report_of_join(joined.push, joined.joined)

    assert proof is not None
    assert hint is not None
    assert proof.body["reference"] == own.reference
    assert "payment_id" not in proof.body
    assert report_of_push(lost) is None
    assert report_of_join(own, Joined(order(1), By.REFERENCE)) is None
    for report in (proof, hint):
        assert MaskedReport.of(GatewayReport(**report.body)).record.status == "collected"
    assert hint.body == {
        "source": "preludd",
        "record_id": lost.record_id,
        "status": "collected",
        "amount": 4000,
        "currency": "EUR",
        "authorisation_number": "184117",
        "masked_card": "497010******7893",
        "occurred_at": "2026-03-05T12:07:18.123Z",
        "payment_id": order(2).reference,
    }


def test_an_authorisation_alone_is_not_reported() -> None:
    """It says nothing of the end."""
    assert report_of_push(push(Kind.AUTHORISATION, 1)) is None
    assert report_of_join(push(Kind.AUTHORISATION, None, transaction=9), Joined(order(), By.FIT)) is None
