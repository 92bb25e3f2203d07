"""Consequences of a stored change: no metric stands before the reply."""

from dataclasses import replace

import pytest
from in_memory.stored_payments import stored, without_result

from api.payments.changes import PaymentChanges
from shared.broker.reply_publisher import ReplyPublisher
from shared.metrics.metrics import Metrics
from shared.payment.states import State


class Replies(ReplyPublisher):
    """A publisher that notes the payments whose requests it wakes."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str | None]] = []

    async def reply(self, payment_id: str, reply_to: str | None) -> None:
        self.sent.append((payment_id, reply_to))


@pytest.fixture
def replies() -> Replies:
    return Replies()


@pytest.fixture
def changes(replies: Replies, monkeypatch: pytest.MonkeyPatch) -> PaymentChanges:
    def fails(*_: object) -> None:
        raise ValueError("no such label")

    metrics = Metrics("api")
    monkeypatch.setattr(metrics, "payment_ended", fails)
    monkeypatch.setattr(metrics, "doubt_resolved", fails)
    monkeypatch.setattr(metrics.contradictions, "inc", fails)
    return PaymentChanges(replies, metrics)


async def test_a_cancelled_payments_requests_are_woken_though_it_is_not_counted(
    changes: PaymentChanges, replies: Replies
) -> None:
    payment = without_result(State.EXPIRED)

    await changes.cancelled(payment)

    assert replies.sent == [(payment.id, payment.reply_to)]


async def test_a_resolved_doubt_is_published_though_neither_it_nor_a_contradiction_is_counted(
    changes: PaymentChanges, replies: Replies
) -> None:
    doubted = without_result(State.IN_DOUBT)

    await changes.evidence_stored(doubted, replace(stored(id=doubted.id), contradicted=True))

    assert replies.sent == [(doubted.id, doubted.reply_to)]
