"""Judges what callers heard by what they asked for: how long they wait, their key, a place in the queue."""

from api.payments.errors import KeyConflict
from shared.payment.states import State
from tests.simulation.model.tills import Heard

#: Virtual time is exact; this is for sums of fractions.
_SLACK_SECONDS = 0.001


def judge_requests(heard: list[Heard], wrongs: list[str]) -> None:
    """Add every rule that an answer broke."""
    orders_of_key: dict[tuple[str, str], set[str]] = {}
    for answer in heard:
        if answer.payment is not None and answer.key is not None:
            named_by = answer.merchant_id, answer.key
            orders_of_key.setdefault(named_by, set()).add(f"{answer.operation} {answer.order_id}")
    for answer in heard:
        _judge_wait(answer, wrongs)
        if answer.safe_to_retry and answer.payment is None and answer.counting is not None:
            wrongs.append(f"told to try again ({answer.error}), and its payment was there: {answer.counting}")
        if answer.error == KeyConflict.code and answer.key is None:
            wrongs.append(f"refused for a key that it had not: {answer.order_id}")
    for (_, key), named in orders_of_key.items():
        if len(named) > 1:
            wrongs.append(f"one key, and more than one operation: {key} {sorted(named)}")


def _judge_wait(answer: Heard, wrongs: list[str]) -> None:
    if answer.payment is None or answer.payment.state not in (State.QUEUED, State.IN_SESSION):
        return
    waited = answer.at - answer.asked_at
    if waited < answer.waits_seconds - _SLACK_SECONDS:
        wrongs.append(
            f"told {answer.payment.state} after {waited:.1f} s of {answer.waits_seconds}: {answer.payment.id}"
        )
