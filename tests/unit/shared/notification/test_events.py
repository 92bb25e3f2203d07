"""The content of an event about a payment."""

import base64
from typing import Any

import pytest
from in_memory.stored_payments import stored, without_result

from shared.notification.events import PAYMENT_TYPES, EventType, event_body, type_of
from shared.payment.payment import Payment, Reason
from shared.payment.states import FINAL_STATES, State

TOLD_STATES = [*sorted(FINAL_STATES), State.IN_DOUBT]


def of(state: State, **changes: Any) -> Payment:
    return without_result(state, **changes)


@pytest.mark.parametrize("state", TOLD_STATES)
def test_every_state_of_a_response_is_an_event_of_its_name(state: State) -> None:
    """`payment.` and the state's own name."""
    assert type_of(state, ends_doubt=False) == f"payment.{state}"


@pytest.mark.parametrize("state", sorted(FINAL_STATES))
def test_a_doubt_ends_with_resolved_alone(state: State) -> None:
    """The state in it says how."""
    assert type_of(state, ends_doubt=True) is EventType.RESOLVED
    assert event_body(of(state))["state"] == state


def test_the_types_are_the_published_ones() -> None:
    """Receivers compare with these texts."""
    assert {type_.removeprefix("payment.") for type_ in PAYMENT_TYPES} == {
        "succeeded", "refused", "aborted", "unreachable", "expired", "cancelled", "in_doubt", "resolved",
        "contradicted",
    }  # fmt: skip


def test_a_success_has_the_contracts_result_fields() -> None:
    """A receiver written for HiPay's Terminal API can read them."""
    body = event_body(stored())

    assert body["id"] == body["payment_id"] == "pay_01JNK4T0V8W9A4C6Q2Y3ZB5XDE"
    assert body["references"] == {"order": "ORDER_3"}
    assert body["result"] == {
        "status": "Success",
        "amount": 250,
        "currency": "EUR",
        "timestamp": 1_772_712_418_123,
        "receipt": body["result"]["receipt"],
    }
    assert "MONTANT" in base64.b64decode(body["result"]["receipt"]).decode(errors="replace")
    assert body["card"] == {"pan": "497010******0003"}
    assert body["authorization"] == {"number": "184117"}
    assert body["processing"] == {"mode": "contactless", "aid": "A0000000421010", "application": "00B"}


def test_a_success_has_fields_beside_the_result() -> None:
    """State, operation, times and whether a retry is safe."""
    body = event_body(stored(warnings=("something",)))

    assert (body["state"], body["operation"], body["safe_to_retry"]) == ("succeeded", "debit", False)
    assert body["ended_at"] == "2026-03-05T12:06:58.123Z"
    assert body["warnings"] == ["something"]


@pytest.mark.parametrize(
    ("state", "reason", "status", "safe"),
    [
        (State.REFUSED, None, "Refused", True),
        (State.ABORTED, None, "Aborted", True),
        (State.UNREACHABLE, Reason.NO_CONNECTION, "Error", True),
        (State.UNREACHABLE, Reason.BUSY, "Busy", True),
        (State.EXPIRED, Reason.NO_WORKER, "Error", True),
        (State.EXPIRED, Reason.HELD, "Busy", True),
        (State.CANCELLED, Reason.CALLER, "Aborted", True),
        (State.CANCELLED, Reason.KEY_CLOSED, "Aborted", False),
        (State.IN_DOUBT, Reason.CONNECTION_LOST, "Unknown", False),
    ],
)
def test_each_failure_has_hipays_status_and_whether_a_retry_is_safe(
    state: State, reason: Reason | None, status: str, safe: bool
) -> None:
    """In doubt and after a contradiction never."""
    body = event_body(of(state, reason=reason))

    assert body["result"]["status"] == status
    assert body["safe_to_retry"] is safe
    assert body.get("reason") == reason


def test_a_contradicted_payment_is_never_safe_to_retry() -> None:
    """Its state stays; an operator must check."""
    body = event_body(of(State.REFUSED, contradicted=True))

    assert (body["state"], body["contradicted"], body["safe_to_retry"]) == ("refused", True, False)


def test_the_paid_amount_is_the_results_amount() -> None:
    """Meal vouchers pay a part."""
    assert event_body(stored(paid_cents=200))["result"]["amount"] == 200


def test_unknown_members_are_left_out() -> None:
    """No nulls, no empty objects."""
    body = event_body(of(State.IN_DOUBT, ended_at=None, doubted_at=1_772_712_418_000))

    assert {"card", "authorization", "processing", "ended_at", "warnings"}.isdisjoint(body)
    assert body["result"]["timestamp"] == 1_772_712_418_000
    assert None not in body.values()
    assert None not in body["result"].values()
