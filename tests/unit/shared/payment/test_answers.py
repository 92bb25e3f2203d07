"""Every row of the table of responses."""

from dataclasses import replace
from typing import Any

import pytest
from in_memory.stored_payments import without_result

from shared.payment.answers import ResponseSpec, response_for
from shared.payment.payment import Reason
from shared.payment.states import FINAL_STATES, State

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


def _answer(state: State, reason: Reason | None, error_code: str | None, **changes: Any) -> ResponseSpec:
    return response_for(without_result(state, reason=reason, error_code=error_code, **changes))


@pytest.mark.parametrize(("state", "reason", "error_code", "expected"), TABLE)
def test_each_row_of_the_table_is_the_response(
    state: State, reason: Reason | None, error_code: str | None, expected: ResponseSpec
) -> None:
    """Status, success or failure, error code and whether a retry is safe follow from the stored row."""
    assert _answer(state, reason, error_code) == expected


@pytest.mark.parametrize("mark", ["contradicted", "key_closed"])
@pytest.mark.parametrize(("state", "reason", "error_code", "expected"), TABLE)
def test_a_contradicted_payment_and_a_closed_orders_attempt_are_never_safe_to_retry(
    state: State, reason: Reason | None, error_code: str | None, expected: ResponseSpec, mark: str
) -> None:
    """Against its own proof, or where its order takes no more attempts; nothing else changes."""
    told_then = _answer(state, reason, error_code, **{mark: True})

    assert told_then == replace(expected, safe_to_retry=False)


@pytest.mark.parametrize(("state", "reason", "error_code", "expected"), TABLE)
def test_an_attempt_beside_one_that_counts_is_never_safe_to_retry(
    state: State, reason: Reason | None, error_code: str | None, expected: ResponseSpec
) -> None:
    """The order may be paid by the other one."""
    payment = without_result(state, reason=reason, error_code=error_code)

    assert response_for(payment, another_attempt_blocks=True) == replace(expected, safe_to_retry=False)


def test_the_table_has_every_state() -> None:
    """No state is left without an answer."""
    assert {state for state, *_ in TABLE} == set(State)


def test_only_what_certainly_moved_no_money_may_be_tried_again() -> None:
    """An open payment or a success never says that a retry is safe."""
    safe = {state for state, _, _, expected in TABLE if expected.safe_to_retry}

    assert safe == FINAL_STATES - {State.SUCCEEDED}
