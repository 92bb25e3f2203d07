"""The Python client's promises under any sequence of replies: nothing unknown is a failure, and it ends."""

from itertools import pairwise

from cloud_terminal_client import ApiError, CloudTerminalError, Failed, NoConnection, Order, Succeeded
from cloud_terminal_client.exchange import Answer, Lost, Reply
from cloud_terminal_client.models import Operation
from cloud_terminal_client.outcomes import Outcome
from cloud_terminal_client.paying import Paying
from hypothesis import given
from hypothesis import strategies as st
from in_memory.client_calls import LOST, NOT_SENT, ByHand, error_body, reply_with, shown_payment

WAIT_SECONDS = 60
#: One look, and one request, may end after the caller's time.
LATE_SECONDS = 20 + 2
STATES = ("queued", "in_session", "in_doubt", "succeeded", "refused", "unreachable", "cancelled")
CODES = ("busy.connector.service.unavailable", "rate.order.too.many.requests", "used.order.conflict")

payments = st.builds(
    lambda state, safe, resolving, reason: shown_payment(
        state, safe_to_retry=safe, resolving=resolving, reason=reason
    ),
    st.sampled_from(STATES),
    st.booleans(),
    st.sampled_from((None, True, False)),
    st.sampled_from((None, "broker_away")),
)
answers = st.one_of(
    st.builds(lambda payment: reply_with(200, {"payment": payment}), payments),
    st.builds(lambda payment: reply_with(202, {"payment": payment}), payments),
    st.builds(lambda listed: reply_with(200, {"payments": listed}), st.lists(payments, max_size=3)),
    st.builds(
        lambda status, code, payment, safe, after: reply_with(
            status, error_body(code, payment=payment, safe_to_retry=safe), retry_after=after
        ),
        st.sampled_from((400, 401, 409, 429, 500, 502, 503, 504)),
        st.sampled_from(CODES),
        st.none() | payments,
        st.booleans(),
        st.sampled_from(("", "2", "3600")),
    ),
    st.builds(reply_with, st.sampled_from((200, 404, 502, 504)), st.just(b"<html>")),
)
replies = st.lists(st.one_of(answers, st.just(LOST), st.just(NOT_SENT)), max_size=12)


@given(replies, st.sampled_from((LOST, NOT_SENT)))
def test_whatever_comes_a_failure_and_an_error_are_certain_and_the_call_ends(
    given_replies: list[Reply], then: Reply
) -> None:
    """Failed only where the API says that no money moved; an error only where nothing may have arrived."""
    play = ByHand(list(given_replies), request_seconds=1, then=then)
    order = Order("ORDER_1", 1250, terminal="counter-1")
    outcome: Outcome | CloudTerminalError
    try:
        outcome = play.run(lambda around: Paying(order, Operation.DEBIT, "key-1", WAIT_SECONDS, around).run())
    except CloudTerminalError as error:
        outcome = error

    asked = zip(play.asked, [*given_replies, *[then] * len(play.asked)], strict=False)
    orders = [reply for request, reply in asked if request.startswith("POST")]
    assert 1 <= len(orders) <= play.around.policy.tries
    assert all(earlier == later for earlier, later in pairwise(_orders_of(play)))
    assert play.seconds <= WAIT_SECONDS + LATE_SECONDS
    if isinstance(outcome, Succeeded):
        assert outcome.payment.state == "succeeded"
    if isinstance(outcome, Failed):
        assert outcome.payment.safe_to_retry
        assert outcome.payment.is_final
    if isinstance(outcome, CloudTerminalError):
        is_certain = isinstance(outcome, ApiError) and outcome.safe_to_retry
        assert is_certain or not any(_may_have_arrived(reply) for reply in orders)
        assert isinstance(outcome, ApiError | NoConnection)


def _orders_of(play: ByHand) -> list[object]:
    return [request for request in play.requests if request.method == "POST"]


def _may_have_arrived(reply: Reply) -> bool:
    """Return whether an order with this reply may have been accepted."""
    if isinstance(reply, Answer):
        return reply.status < 400 or (reply.status >= 500 and b'"safe_to_retry": true' not in reply.content)
    return isinstance(reply, Lost)
