"""Answers of orders, from the stored payment."""

import base64
from typing import Any

import pytest
from in_memory.stored_payments import stored, without_result
from orders import body_with, order_with

from api.connector.answer import render_accepted, render_answer
from api.connector.request import parse_order
from api.http.json_text import write_json
from api.openapi.examples import FULL_REQUEST, MINIMAL_REQUEST
from api.payments.errors import TerminalUnavailable
from shared.payment.answers import response_for
from shared.payment.payment import Payment, Reason
from shared.payment.states import State

BUSY = without_result(State.UNREACHABLE, reason=Reason.BUSY)

UNREACHABLE = (Reason.NO_CONNECTION, Reason.UNEXPECTED_BYTES, Reason.NO_ADDRESS, Reason.NOT_SENT)

# The whole table of what the client is answered: payment, status, errorCode or error's code, safe_to_retry.
TOLD: list[tuple[Payment, int, str | None, bool]] = [
    (stored(), 200, None, False),
    *(
        (stored(state=State.REFUSED, error_code=code), 200, code, True)
        for code in ("02", "04", "05", "07", "09", "12", "13", "00")
    ),
    (stored(state=State.REFUSED), 200, "00", True),
    *((stored(state=State.ABORTED, error_code=code), 200, code, True) for code in ("06", "08", "10", "11")),
    (BUSY, 200, "busy", True),
    (without_result(State.EXPIRED, reason=Reason.HELD), 200, "busy", True),
    *(
        (without_result(State.UNREACHABLE, reason=reason), 502, "unavailable.terminal.bad.gateway", True)
        for reason in UNREACHABLE
    ),
    (
        without_result(State.EXPIRED, reason=Reason.NO_WORKER),
        504,
        "expired.payment.gateway.timeout",
        True,
    ),
    *(
        (without_result(state, ended_at=None), 504, "timeout.terminal.gateway.timeout", False)
        for state in (State.QUEUED, State.IN_SESSION, State.IN_DOUBT)
    ),
    (without_result(State.CANCELLED, reason=Reason.CALLER), 200, "cancelled", True),
    (
        without_result(State.CANCELLED, reason=Reason.BROKER_UNAVAILABLE),
        500,
        "unavailable.broker.internal.server.error",
        True,
    ),
    (without_result(State.CANCELLED, reason=Reason.KEY_CLOSED), 409, "closed.order.conflict", False),
]


@pytest.mark.parametrize(("payment", "status", "code", "safe_to_retry"), TOLD)
def test_every_outcome_has_its_status_code_and_payment(
    payment: Payment, status: int, code: str | None, safe_to_retry: bool
) -> None:
    """The table, row by row; every body carries the payment."""
    http_status, body = render_answer(payment, response_for(payment))

    assert http_status == status
    assert body["payment"]["id"] == payment.id
    assert body["payment"]["state"] == payment.state
    assert body["payment"]["safe_to_retry"] is safe_to_retry
    if status == 200:
        assert body["paymentStatus"] == ("Success" if code is None else "Failed")
        assert body.get("errorCode") == code
        assert "error" not in body
    else:
        error = body["error"]
        assert (error["status"], error["code"]) == (status, code)
        assert error["message"]
        assert error["description"]
        assert error["details"] == {"safe_to_retry": safe_to_retry}
        assert "paymentStatus" not in body


def test_every_reason_of_an_unreachable_terminal_has_its_own_words() -> None:
    """A terminal that was reached and spoke first is not called one that cannot be reached."""
    bodies = [
        render_answer(payment, response_for(payment))[1]
        for payment, *_ in TOLD
        if payment.reason in UNREACHABLE
    ]

    said = {body["error"]["description"] for body in bodies}

    assert len(said) == len(UNREACHABLE)
    assert all("nothing was sent" in each for each in said)
    assert TerminalUnavailable.description not in said


def test_a_success_has_every_field_of_the_contract() -> None:
    """Receipt in base64, both names of the echo, and all that is known about the payment."""
    payment = stored()

    status, body = render_answer(payment, response_for(payment))

    assert status == 200
    assert list(body) == [
        "paymentStatus",
        "receipt",
        "order",
        "customer",
        "technical_pos_info",
        "pos_technical_info",
        "payment",
    ]
    assert base64.b64decode(body["receipt"]).decode() == payment.result.receipt
    assert body["order"] == FULL_REQUEST["order"]
    assert body["customer"] == FULL_REQUEST["customer"]
    assert body["technical_pos_info"] == body["pos_technical_info"] == FULL_REQUEST["pos_technical_info"]
    assert body["payment"] == {
        "id": "pay_01JNK4T0V8W9A4C6Q2Y3ZB5XDE",
        "order_id": "ORDER_3",
        "operation": "debit",
        "state": "succeeded",
        "safe_to_retry": False,
        "replayed": False,
        "amount": 250,
        "currency": "EUR",
        "authorisation_number": "184117",
        "masked_card": "497010******0003",
        "application": "00B",
        "application_name": "CB/Visa/Mastercard contactless",
        "aid": "A0000000421010",
        "created_at": "2026-03-05T12:06:41.007Z",
        "claimed_at": "2026-03-05T12:06:41.019Z",
        "ended_at": "2026-03-05T12:06:58.123Z",
        "warnings": [],
    }


def test_a_failure_says_why_in_a_code_in_words_and_in_data() -> None:
    """The terminal's own words where it had some, else those of its code."""
    refused = stored(state=State.REFUSED, error_code="04", error_description="CARTE REFUSEE")
    aborted = without_result(State.ABORTED, error_code="06")

    body = render_answer(refused, response_for(refused))[1]
    other = render_answer(aborted, response_for(aborted))[1]

    assert (body["errorCode"], body["errorDescription"]) == ("04", "CARTE REFUSEE")
    assert body["errorData"] == {"state": "refused"}
    assert (other["errorCode"], other["errorDescription"]) == ("06", "abandoned by the cardholder")
    assert other["receipt"] == ""


def test_a_busy_terminal_is_a_failure_that_attempted_nothing() -> None:
    """With the time since when another payment held it, where that is known."""
    held = without_result(State.EXPIRED, reason=Reason.HELD, held_since=1_772_712_400_000)

    body = render_answer(held, response_for(held))[1]

    assert "nothing was attempted" in body["errorDescription"]
    assert body["errorData"] == {"state": "expired", "reason": "held"}
    assert body["payment"]["held_since"] == "2026-03-05T12:06:40.000Z"
    assert body["payment"]["safe_to_retry"] is True


def test_the_amount_is_what_was_really_paid() -> None:
    """A partial approval is a success of a lower amount, with a warning."""
    payment = stored(paid_cents=200, warnings=("partial_amount",))

    shown = render_answer(payment, response_for(payment))[1]["payment"]

    assert (shown["amount"], shown["warnings"]) == (200, ["partial_amount"])


def test_a_request_without_customer_is_echoed_with_an_empty_one() -> None:
    """The field is an object in every answer."""
    payment = stored(request=parse_order(body_with(base=MINIMAL_REQUEST)).request_text)

    body = render_answer(payment, response_for(payment))[1]

    assert body["customer"] == {}
    assert body["order"]["description"] == "POS payment"


@pytest.mark.parametrize("flags", [{"replayed": True}, {"resolving": True}, {"resolving": False}])
def test_a_flag_of_the_caller_shows_in_the_payment(flags: dict[str, bool]) -> None:
    """`replayed` and `resolving` are known by the route, not by the row."""
    payment = without_result(State.IN_DOUBT, reason=Reason.ANSWER_TIMEOUT)

    shown = render_answer(payment, response_for(payment), **flags)[1]["payment"]

    assert flags.items() <= shown.items()


def test_a_contradicted_failure_is_never_safe_and_says_that_a_person_must_look() -> None:
    """Its own words would tell the POS that nothing was charged."""
    for payment in (
        stored(state=State.REFUSED, error_code="04", contradicted=True),
        without_result(State.UNREACHABLE, reason=Reason.NO_CONNECTION, contradicted=True),
    ):
        body = render_answer(payment, response_for(payment))[1]

        assert body["payment"]["safe_to_retry"] is False
        assert body["payment"]["contradicted"] is True
        said: Any = body.get("errorDescription") or body["error"]["description"]
        assert "an operator must review" in said


def test_a_caller_who_does_not_wait_gets_the_payment() -> None:
    """202 with the queued payment, which is not safe to retry."""
    payment = without_result(State.QUEUED, claimed_at=None, ended_at=None)

    status, body = render_accepted(payment, response_for(payment))

    assert status == 202
    assert list(body) == ["payment"]
    assert (body["payment"]["state"], body["payment"]["safe_to_retry"]) == ("queued", False)
    assert "claimed_at" not in body["payment"]


def test_an_echo_with_a_lone_surrogate_can_be_sent() -> None:
    """An accepted and stored order must not break its own answer."""
    odd = {"order.custom_data": {"k": "\ud800\0"}}
    payment = stored(request=parse_order(body_with(odd)).request_text)

    body = render_answer(payment, response_for(payment))[1]

    assert body["order"] == order_with(odd)["order"]
    assert '"k":"\\ud800\\u0000"' in write_json(body).encode().decode()
