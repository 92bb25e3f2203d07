"""Rules of requests: how long a client waits, its Idempotency-Key, its place in the queue."""

from api.payments.errors import KeyConflict
from shared.payment.states import State
from tests.simulation.model.pos import Answer

#: Virtual time is exact; this is for sums of fractions.
_SLACK_SECONDS = 0.001


def judge_requests(answers: list[Answer], violations: list[str]) -> None:
    """Add the violations of each answer."""
    orders_of_key: dict[tuple[str, str], set[str]] = {}
    for answer in answers:
        if answer.payment is not None and answer.key is not None:
            named_by = answer.merchant_id, answer.key
            orders_of_key.setdefault(named_by, set()).add(f"{answer.operation} {answer.order_id}")
    for answer in answers:
        _judge_wait(answer, violations)
        if answer.safe_to_retry and answer.payment is None and answer.blocking is not None:
            violations.append(
                f"'safe to retry' ({answer.error}), and its payment was there: {answer.blocking}"
            )
        if answer.error == KeyConflict.code and answer.key is None:
            violations.append(f"refused for a key that it had not: {answer.order_id}")
    for (_, key), named in orders_of_key.items():
        if len(named) > 1:
            violations.append(f"one key, and more than one operation: {key} {sorted(named)}")


def _judge_wait(answer: Answer, violations: list[str]) -> None:
    if answer.payment is None or answer.payment.state not in (State.QUEUED, State.IN_SESSION):
        return
    waited = answer.at - answer.asked_at
    if waited < answer.waits_seconds - _SLACK_SECONDS:
        violations.append(
            f"answered {answer.payment.state} after {waited:.1f} s of {answer.waits_seconds}:"
            f" {answer.payment.id}"
        )
