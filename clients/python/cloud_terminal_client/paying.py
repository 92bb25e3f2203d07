"""Paying: the rules by which a point of sale never charges twice and never calls a doubt a failure.

1. The order is accepted first and waited for by its payment's id: a lost answer costs a look, not a sale.
2. An answer that did not come is looked for; only where there is nothing the same order is sent again, with
   the same key. The API joins it to what runs already.
3. An error is raised only where nothing was accepted. Everything else that is not known is `Unknown`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, Final
from urllib.parse import quote

from cloud_terminal_client.errors import ApiError, CloudTerminalError, NoConnection, UnreadableAnswer
from cloud_terminal_client.exchange import Answer, Call, NotSent, Pause, Reply, Request, ask
from cloud_terminal_client.models import Operation, Payment
from cloud_terminal_client.orders import Order
from cloud_terminal_client.outcomes import Failed, Outcome, Succeeded, Unknown, outcome_of
from cloud_terminal_client.retrying import (
    PASSING,
    PASSING_ERRORS,
    Surroundings,
    answered,
    asked_pause,
    error_of,
)

#: One look waits so long at most: proxies close what is silent for a minute.
LONGEST_LOOK_SECONDS: Final = 20


@dataclass(frozen=True, slots=True)
class Paying:
    """One operation of an order, and the time that its caller gives it."""

    order: Order
    operation: Operation
    idempotency_key: str
    wait_seconds: float
    around: Surroundings

    def run(self) -> Call[Outcome]:
        """Return the outcome. Raises a CloudTerminalError only where nothing of it was accepted."""
        begun = self.around.clock()
        deadline = begun + self.wait_seconds
        failures, may_have_arrived = 0, False
        while True:
            if may_have_arrived:
                found = yield from self._look(begun)
                if found is not None:
                    return (yield from wait_until(found, deadline, self.around))
            reply = yield from ask(self._request())
            outcome = self._outcome(reply)
            if isinstance(outcome, Unknown) and outcome.payment is not None:
                return (yield from wait_until(outcome.payment, deadline, self.around))
            if outcome is not None and not _was_cancelled_for_the_broker(outcome):
                return outcome
            may_have_arrived = may_have_arrived or _may_have_arrived(reply)
            failures += 1
            pause = self.around.policy.pause_seconds(failures, self.around.random, asked_pause(reply))
            is_over = self.around.clock() + pause >= deadline or failures >= self.around.policy.tries
            if is_over or not _helps_to_repeat(reply):
                return outcome or self._given_up(error_of(reply), may_have_arrived=may_have_arrived)
            yield Pause(pause)

    def _request(self) -> Request:
        return Request(
            "POST",
            "/v1/connector/order",
            body=self.order.body(self.operation),
            headers={"idempotency-key": self.idempotency_key, "prefer": "respond-async"},
        )

    def _outcome(self, reply: Reply) -> Outcome | None:
        """Return what the reply says of the payment; None where it says nothing of one, or of another one."""
        if not isinstance(reply, Answer) or reply.status == 409:
            return None
        try:
            body = reply.json()
            return outcome_of(body, None if reply.status < 400 else reply.error())
        except (KeyError, TypeError, ValueError, UnreadableAnswer):
            return None

    def _given_up(self, error: CloudTerminalError, *, may_have_arrived: bool) -> Outcome:
        if isinstance(error, ApiError) and error.safe_to_retry and error.payment is None:
            raise error
        if may_have_arrived or not isinstance(error, ApiError | NoConnection):
            return Unknown(None, error)
        raise error

    def _look(self, begun: float) -> Call[Payment | None]:
        """Return the attempt that this operation runs as, where the list shows one."""
        reply = yield from ask(attempts_of(self.order.order_id))
        if not isinstance(reply, Answer) or reply.status != 200:
            return None
        since = None if reply.date is None else reply.date + 1 - (self.around.clock() - begun)
        return _own(_payments(reply), self.operation, since)


def wait_until(payment: Payment, deadline: float, around: Surroundings) -> Call[Outcome]:
    """Return the outcome; `Unknown` at the deadline, or once nothing will settle it by itself."""
    failures = 0
    error: CloudTerminalError | None = None
    while True:
        left = deadline - around.clock()
        seconds = ceil(max(0, min(left, LONGEST_LOOK_SECONDS)))
        asked_at = around.clock()
        reply = yield from ask(look(payment.id, seconds))
        outcome = _seen(reply)
        if outcome is None:
            error, failures = error_of(reply), failures + 1
            pause = around.policy.pause_seconds(failures, around.random, asked_pause(reply))
            if left <= pause or not _helps_to_repeat(reply):
                return Unknown(payment, error)
            yield Pause(pause)
            continue
        failures = 0
        if isinstance(outcome, Succeeded | Failed):
            return outcome
        assert outcome.payment is not None
        payment = outcome.payment
        if deadline - around.clock() < 1 or payment.is_final or payment.resolving is False:
            return outcome
        if around.clock() - asked_at < seconds / 2:
            # An API that stops answers early.
            yield Pause(around.policy.pause_seconds(1, around.random, None))


def attach(
    order_id: str, operation: Operation, wait_seconds: float, around: Surroundings
) -> Call[Outcome | None]:
    """Return the outcome of the order's newest attempt, and start none; None where there is no attempt."""
    deadline = around.clock() + wait_seconds
    try:
        answer = yield from answered(attempts_of(order_id), around)
        attempts = [Payment.read(shown) for shown in answer.json()["payments"]]
    except (*PASSING_ERRORS, KeyError, TypeError, ValueError) as error:
        return Unknown(None, error if isinstance(error, CloudTerminalError) else None)
    for payment in attempts:
        if payment.operation == operation:
            return (yield from wait_until(payment, deadline, around))
    return None


def attempts_of(order_id: str) -> Request:
    """Return the request for an order's attempts, the newest first."""
    return Request("GET", "/v1/payments", {"order_id": order_id, "limit": 100})


def look(payment_id: str, wait_seconds: int) -> Request:
    """Return the request for a payment that waits until it is settled."""
    path = f"/v1/payments/{quote(payment_id, safe='')}"
    return Request("GET", path, {"wait": wait_seconds}, waits_seconds=wait_seconds)


def _seen(reply: Reply) -> Outcome | None:
    try:
        if isinstance(reply, Answer) and reply.status == 200:
            return outcome_of(reply.json())
    except (KeyError, TypeError, ValueError, UnreadableAnswer):
        return None
    return None


def _payments(reply: Answer) -> list[Payment]:
    try:
        shown: Iterable[Mapping[str, Any]] = reply.json()["payments"]
        return [Payment.read(each) for each in shown]
    except (KeyError, TypeError, ValueError, UnreadableAnswer):
        return []


def _own(payments: Iterable[Payment], operation: Operation, since: float | None) -> Payment | None:
    """Return the newest attempt that is not an earlier, failed one; `since`: in seconds since 1970."""
    for payment in payments:
        if payment.operation == operation:
            is_ours = since is not None and payment.created_at.timestamp() >= since
            counts = payment.state == "succeeded" or not payment.is_final
            return payment if counts or is_ours else None
    return None


def _may_have_arrived(reply: Reply) -> bool:
    """Return whether the request may have been accepted without this client knowing of it."""
    match reply:
        case NotSent() | Answer(status=429):
            return False
        case Answer(status=status):
            error = reply.error()
            return status >= 500 and not (isinstance(error, ApiError) and error.safe_to_retry)
        case _:
            return True


def _helps_to_repeat(reply: Reply) -> bool:
    return not isinstance(reply, Answer) or reply.status in PASSING


def _was_cancelled_for_the_broker(outcome: Outcome) -> bool:
    """Return whether the API cancelled it before anything was sent: the same order may pass now."""
    return isinstance(outcome, Failed) and outcome.payment.reason == "broker_away"
