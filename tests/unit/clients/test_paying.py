"""The Python client's rules of paying: what it asks next, and what it calls the outcome."""

import pytest
from cloud_terminal_client import (
    Conflict,
    Failed,
    InvalidRequest,
    NoConnection,
    Order,
    Overloaded,
    Succeeded,
    TooManyRequests,
    Unknown,
)
from cloud_terminal_client.exchange import Reply
from cloud_terminal_client.models import Operation
from cloud_terminal_client.outcomes import Outcome
from cloud_terminal_client.paying import Paying
from in_memory.client_calls import LOST, NOT_SENT, ByHand, error_body, reply_with, shown_payment

ORDER, LIST, LOOK = "POST /v1/connector/order", "GET /v1/payments", "GET /v1/payments/pay_1"
ACCEPTED = reply_with(202, {"payment": shown_payment("queued")})
PAID = reply_with(200, {"paymentStatus": "Success", "receipt": "b2s=", "payment": shown_payment("succeeded")})
REFUSED = reply_with(
    200,
    {
        "paymentStatus": "Failed",
        "errorCode": "04",
        "errorDescription": "Refused",
        "payment": shown_payment("refused"),
    },
)
NOTHING = reply_with(200, {"payments": []})
NO_DATABASE = reply_with(500, error_body("unavailable.database.internal.server.error", safe_to_retry=False))
OVERLOADED = error_body("overloaded.connector.service.unavailable", safe_to_retry=True)


def pay(play: ByHand, wait_seconds: float = 60) -> Outcome:
    order = Order("ORDER_1", 1250, terminal="counter-1")
    return play.run(lambda around: Paying(order, Operation.DEBIT, "key-1", wait_seconds, around).run())


def listed(state: str, **more: object) -> Reply:
    return reply_with(200, {"payments": [shown_payment(state, **more)]})


def test_a_payment_is_accepted_at_once_and_waited_for_by_its_id() -> None:
    """With the key, so that any repeat of the request means the same operation."""
    play = ByHand([ACCEPTED, PAID])

    outcome = pay(play)

    assert isinstance(outcome, Succeeded)
    assert outcome.receipt == "ok"
    assert play.asked == [ORDER, LOOK]
    assert play.requests[0].headers == {"idempotency-key": "key-1", "prefer": "respond-async"}
    assert play.requests[0].body["order"]["price"] == {"amount": 1250, "currency": "EUR"}


def test_a_refusal_is_a_failure_with_the_terminals_code() -> None:
    """It says that the order may be paid again."""
    outcome = pay(ByHand([ACCEPTED, REFUSED]))

    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.payment.safe_to_retry) == ("04", True)


def test_after_a_lost_answer_the_running_payment_is_found_and_nothing_is_sent_again() -> None:
    """Its order was accepted: the list shows it."""
    play = ByHand([LOST, listed("in_session"), PAID])

    assert isinstance(pay(play), Succeeded)
    assert play.asked == [ORDER, LIST, LOOK]


def test_a_lost_answer_of_a_payment_that_failed_meanwhile_starts_no_second_one() -> None:
    """It began after this call did, so it is this call's: nobody asks the customer once more."""
    created = shown_payment("refused", created_at="2026-03-05T12:00:02.000Z")
    found = reply_with(200, {"payments": [created]}, at=9)
    play = ByHand([LOST, found, REFUSED], request_seconds=4)

    assert isinstance(pay(play), Failed)
    assert play.asked == [ORDER, LIST, LOOK]


def test_an_earlier_refusal_of_the_order_is_not_taken_for_this_payment() -> None:
    """It began before this call: the same order is sent again, with the same key."""
    old = reply_with(200, {"payments": [shown_payment("refused")]}, at=100)
    play = ByHand([LOST, old, ACCEPTED, PAID], request_seconds=1)

    assert isinstance(pay(play), Succeeded)
    assert play.asked == [ORDER, LIST, ORDER, LOOK]
    assert play.requests[0] == play.requests[2]


def test_a_doubt_is_never_called_a_failure() -> None:
    """Nothing settles it by itself any more: the caller hears at once that nobody knows."""
    doubt = shown_payment("in_doubt", resolving=False)
    outcome = pay(ByHand([ACCEPTED, reply_with(200, {"payment": doubt})]))

    assert isinstance(outcome, Unknown)
    assert outcome.payment is not None
    assert outcome.payment.state == "in_doubt"


def test_a_failed_payment_that_is_not_safe_to_retry_is_unknown() -> None:
    """A proof contradicts the refusal: the card may have been charged."""
    contradicted = shown_payment("refused", safe_to_retry=False, contradicted=True)

    assert isinstance(pay(ByHand([ACCEPTED, reply_with(200, {"payment": contradicted})])), Unknown)


@pytest.mark.parametrize(
    ("reply", "repeats"),
    [
        (LOST, 3),
        (NO_DATABASE, 3),
        (reply_with(502, b"<html>"), 3),
        (reply_with(504, b""), 3),
        (reply_with(200, b"hello"), 0),
    ],
    ids=["lost", "no database", "proxy's page", "proxy's time-out", "not this API"],
)
def test_whatever_may_have_arrived_is_unknown_in_the_end(reply: Reply, repeats: int) -> None:
    """Neither an exception nor a failure: both would make a cashier take the money again."""
    outcome = pay(ByHand([reply, *[NOTHING, reply] * repeats]))

    assert isinstance(outcome, Unknown)
    assert outcome.payment is None
    assert outcome.error is not None


def test_an_error_after_a_lost_answer_is_unknown_too() -> None:
    """The credential was revoked in between; what the first request did is not known."""
    revoked = reply_with(401, error_body("connector.api.login.unauthorized"))

    assert isinstance(pay(ByHand([LOST, revoked, revoked])), Unknown)


def test_without_any_connection_nothing_was_sent() -> None:
    """An exception, since nothing can have been accepted."""
    with pytest.raises(NoConnection):
        pay(ByHand([NOT_SENT] * 4))


def test_a_wrong_order_is_raised_at_once() -> None:
    wrong = error_body("required.openapi.requestValidation", path="order.price")
    with pytest.raises(InvalidRequest) as raised:
        pay(ByHand([reply_with(400, wrong)]))

    assert raised.value.details == {"path": "order.price"}


def test_a_conflict_is_raised_with_the_payment_that_stands_in_the_way() -> None:
    """Another amount under the same number: that payment is not this one's outcome."""
    body = error_body("different.order.conflict", payment=shown_payment("succeeded"), safe_to_retry=False)
    with pytest.raises(Conflict) as raised:
        pay(ByHand([reply_with(409, body)]))

    assert raised.value.payment is not None
    assert raised.value.payment.state == "succeeded"


def test_an_overloaded_api_is_asked_again_after_its_own_pause() -> None:
    """Retry-After is longer than the client's own pause."""
    play = ByHand([reply_with(503, OVERLOADED, retry_after="7"), ACCEPTED, PAID])

    assert isinstance(pay(play), Succeeded)
    assert play.pauses == [7]


@pytest.mark.parametrize(("status", "error"), [(503, Overloaded), (429, TooManyRequests)])
def test_an_api_that_stays_overloaded_is_an_error_since_it_accepted_nothing(
    status: int, error: type[Exception]
) -> None:
    """It says so itself: safe to retry."""
    with pytest.raises(error):
        pay(ByHand([reply_with(status, OVERLOADED)] * 4))


def test_a_pause_that_outlasts_the_callers_time_is_not_begun() -> None:
    play = ByHand([reply_with(429, OVERLOADED, retry_after="3600")])
    with pytest.raises(TooManyRequests) as raised:
        pay(play)

    assert raised.value.retry_after_seconds == 3600
    assert play.pauses == []


def test_a_terminal_that_is_off_is_a_failure_and_is_not_tried_again() -> None:
    """Nothing was sent to it; somebody has to switch it on."""
    off = error_body(
        "unavailable.terminal.bad.gateway", payment=shown_payment("unreachable"), safe_to_retry=True
    )
    outcome = pay(ByHand([reply_with(502, off)]))

    assert isinstance(outcome, Failed)
    assert outcome.code == "unavailable.terminal.bad.gateway"


def test_a_payment_that_was_cancelled_for_the_broker_is_sent_again() -> None:
    """Nothing was sent to a terminal, and RabbitMQ is back."""
    cancelled = shown_payment("cancelled", reason="broker_away")
    away = error_body("unavailable.broker.internal.server.error", payment=cancelled, safe_to_retry=True)
    play = ByHand([reply_with(500, away), ACCEPTED, PAID])

    assert isinstance(pay(play), Succeeded)


def test_a_payment_that_runs_when_the_callers_time_is_over_is_unknown() -> None:
    """The wait ends at the caller's time; the payment can be waited for later."""
    running = reply_with(200, {"payment": shown_payment("in_session")})
    play = ByHand([ACCEPTED, running, running, running])

    outcome = pay(play, wait_seconds=45)

    assert isinstance(outcome, Unknown)
    assert play.seconds == pytest.approx(45)


def test_trouble_while_waiting_is_waited_out() -> None:
    """The payment's id is known: looks are repeated until the caller's time is over."""
    play = ByHand([ACCEPTED, LOST, NOT_SENT, NO_DATABASE, reply_with(502, b"<html>"), PAID])

    assert isinstance(pay(play, wait_seconds=300), Succeeded)
    assert play.asked == [ORDER, *[LOOK] * 5]
