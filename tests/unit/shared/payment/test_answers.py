"""Every row of the table of responses."""

from dataclasses import replace
from typing import Any

import pytest

from shared.payment.answers import ResponseSpec, response_for
from shared.payment.payment import Operation, Payment, Reason, Result
from shared.payment.states import FINAL_STATES, State

PAYMENT = Payment(
    id="pay_01",
    merchant_id="merchant",
    order_id="order-1",
    operation=Operation.DEBIT,
    state=State.QUEUED,
    reason=None,
    amount_cents=1000,
    currency="EUR",
    protocol="ConcertV3.1",
    force_authorization=False,
    host="127.0.0.9",
    port=8888,
    pos_number="01",
    terminal_address="127.0.0.9:8888",
    request="{}",
    idempotency_key=None,
    debit_id=None,
    guard_key=None,
    reply_to=None,
    contradicted=False,
    deadline_at=0,
    created_at=0,
    claimed_at=None,
    ended_at=None,
    held_since=None,
)

FAILED = "Failed"
TABLE: list[tuple[State, Reason | None, str | None, ResponseSpec]] = [
    (State.SUCCEEDED, None, None, ResponseSpec(200, False, "Success")),
    *[
        (State.REFUSED, None, code, ResponseSpec(200, True, "Failed", code))
        for code in ("02", "04", "05", "07", "09", "12", "13")
    ],
    (State.REFUSED, None, None, ResponseSpec(200, True, "Failed", "00")),
    (State.REFUSED, None, "77", ResponseSpec(200, True, "Failed", "77")),
    *[
        (State.ABORTED, None, code, ResponseSpec(200, True, "Failed", code))
        for code in ("06", "08", "10", "11")
    ],
    (State.ABORTED, Reason.OPERATOR, None, ResponseSpec(200, True, "Failed", "00")),
    (State.UNREACHABLE, Reason.BUSY, None, ResponseSpec(200, True, "Failed", "busy")),
    (State.EXPIRED, Reason.HELD, None, ResponseSpec(200, True, "Failed", "busy")),
    *[
        (State.UNREACHABLE, reason, None, ResponseSpec(502, True, error="unavailable.terminal.bad.gateway"))
        for reason in (Reason.NO_CONNECTION, Reason.NO_ADDRESS, Reason.NOT_SENT)
    ],
    (State.EXPIRED, Reason.NO_WORKER, None, ResponseSpec(504, True, error="expired.payment.gateway.timeout")),
    *[
        (state, None, None, ResponseSpec(504, False, error="timeout.terminal.gateway.timeout"))
        for state in (State.QUEUED, State.IN_SESSION, State.IN_DOUBT)
    ],
    (State.CANCELLED, Reason.CALLER, None, ResponseSpec(200, True, "Failed", "cancelled")),
    (
        State.CANCELLED,
        Reason.BROKER_UNAVAILABLE,
        None,
        ResponseSpec(500, True, error="unavailable.broker.internal.server.error"),
    ),
    (State.CANCELLED, Reason.KEY_CLOSED, None, ResponseSpec(409, False, error="closed.order.conflict")),
]


def _payment(state: State, reason: Reason | None, error_code: str | None, **changes: Any) -> Payment:
    return replace(PAYMENT, state=state, reason=reason, result=Result(error_code=error_code), **changes)


@pytest.mark.parametrize(("state", "reason", "error_code", "expected"), TABLE)
def test_each_row_of_the_table_is_the_response(
    state: State, reason: Reason | None, error_code: str | None, expected: ResponseSpec
) -> None:
    """Status, success or failure, error code and whether a retry is safe follow from the stored row."""
    assert response_for(_payment(state, reason, error_code)) == expected


@pytest.mark.parametrize(("state", "reason", "error_code", "expected"), TABLE)
def test_a_contradicted_payment_is_never_safe_to_retry(
    state: State, reason: Reason | None, error_code: str | None, expected: ResponseSpec
) -> None:
    """A proof against the stored outcome takes the caller's leave to retry, and changes nothing else."""
    told_then = response_for(_payment(state, reason, error_code, contradicted=True))

    assert told_then == replace(expected, safe_to_retry=False)


@pytest.mark.parametrize(("state", "reason", "error_code", "expected"), TABLE)
def test_an_attempt_of_a_closed_key_is_never_safe_to_retry(
    state: State, reason: Reason | None, error_code: str | None, expected: ResponseSpec
) -> None:
    """The order takes no more attempts, so no client is asked to make one."""
    told_then = response_for(_payment(state, reason, error_code, key_closed=True))

    assert told_then == replace(expected, safe_to_retry=False)


@pytest.mark.parametrize(("state", "reason", "error_code", "expected"), TABLE)
def test_an_attempt_beside_one_that_counts_is_never_safe_to_retry(
    state: State, reason: Reason | None, error_code: str | None, expected: ResponseSpec
) -> None:
    """The order may be paid by the other one."""
    told_then = response_for(_payment(state, reason, error_code), another_attempt_blocks=True)

    assert told_then == replace(expected, safe_to_retry=False)


def test_the_table_has_every_state() -> None:
    """No state is left without an answer."""
    assert {state for state, *_ in TABLE} == set(State)


def test_only_what_certainly_moved_no_money_may_be_tried_again() -> None:
    """An open payment or a success never says that a retry is safe."""
    safe = {state for state, _, _, expected in TABLE if expected.safe_to_retry}

    assert safe == FINAL_STATES - {State.SUCCEEDED}
