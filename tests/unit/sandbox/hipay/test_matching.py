"""A push matches its order by the payment's reference, else by the facts if exactly one order fits."""

from dataclasses import replace
from typing import Any

import pytest
from in_memory.orders_and_pushes import CONTRACT, T0, new_ledger, order, push, statuses, take

from api.operator.gateway_routes import GatewayReport, MaskedReport
from sandbox.hipay.rules.evidence import report_of_match, report_of_push
from sandbox.hipay.rules.matching import Match, MatchedBy, WaitReason, fits, match_order
from sandbox.hipay.rules.order_and_push import Contract, Kind, Operation, OrderNotice
from sandbox.hipay.rules.transaction import PushMatched


def _orders(*orders: OrderNotice) -> dict[str, OrderNotice]:
    return {one.reference: one for one in orders}


def test_a_reference_names_its_order_whatever_else_fits() -> None:
    """Of two equal orders it matches the named one."""
    first, second = order(1), order(2)

    match = match_order(push(Kind.AUTHORISATION, 2), _orders(first, second), ())

    assert match == Match(second, MatchedBy.REFERENCE)


def test_a_reference_whose_notification_is_late_waits_and_takes_no_other_order() -> None:
    """It never matches an order that only has the same facts."""
    assert match_order(push(Kind.AUTHORISATION, 2), _orders(order(1)), ()) is WaitReason.NO_NOTIFICATION


def test_without_reference_the_one_order_that_fits_matches() -> None:
    """An order that has its transaction fits no more."""
    first, second = order(1), order(2)
    orders, lost = _orders(first, second), push(Kind.AUTHORISATION, None, transaction=9)

    assert match_order(lost, _orders(first), ()) == Match(first, MatchedBy.FIT)
    assert match_order(lost, orders, ()) is WaitReason.SEVERAL_ORDERS_FIT
    assert match_order(lost, orders, {first.reference}) == Match(second, MatchedBy.FIT)
    assert match_order(lost, orders, set(orders)) is WaitReason.NO_ORDER_FITS


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
def test_a_push_that_differs_does_not_fit(change: dict[str, Any]) -> None:
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


def test_later_records_follow_the_matched_transaction() -> None:
    """The collection of a transaction whose authorisation matched, whatever fits by then."""
    ledger = new_ledger()
    take(ledger, order(1), push(Kind.AUTHORISATION, None, transaction=9))

    actions = take(ledger, order(2), push(Kind.COLLECTION, None, transaction=9))

    assert statuses(actions) == [118]
    assert [one.order.reference for one in ledger.transactions] == [order(1).reference]


def test_an_ambiguous_push_matches_once_the_other_order_has_its_own() -> None:
    """Of two equal orders, one push without reference waits until the other order has its push."""
    ledger = new_ledger()

    actions = take(ledger, order(1), order(2), push(Kind.AUTHORISATION, None, transaction=9))
    assert statuses(actions) == []
    actions = take(ledger, push(Kind.AUTHORISATION, 1))

    assert statuses(actions) == [116, 116]
    assert ledger.waiting_pushes() == []


def test_a_record_with_the_reference_proves_and_a_matched_one_hints() -> None:
    """`reference` where the record has it, `payment_id` where it was matched."""
    own = push(Kind.COLLECTION, 1)
    lost = push(Kind.COLLECTION, None, transaction=9, authorisation_number="184117")
    ledger = new_ledger()

    proof = report_of_push(own)
    (match,) = [one for one in take(ledger, order(2), lost) if isinstance(one, PushMatched)]
    hint = report_of_match(match.push, match.match)

    assert proof is not None
    assert hint is not None
    assert proof.body["reference"] == own.reference
    assert "payment_id" not in proof.body
    assert report_of_push(lost) is None
    assert report_of_match(own, Match(order(1), MatchedBy.REFERENCE)) is None
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
    """It does not show the end."""
    assert report_of_push(push(Kind.AUTHORISATION, 1)) is None
    assert (
        report_of_match(push(Kind.AUTHORISATION, None, transaction=9), Match(order(), MatchedBy.FIT)) is None
    )
