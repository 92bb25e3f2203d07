"""Mistakes in the notifications of endpoints and HiPay."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from notifier_worker import attempt
from notifier_worker.relay import Relay
from shared.notification.events import EventType
from shared.payment.payment import Payment
from shared.storage.db.engine import Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments import ending
from shared.storage.webhooks import deliveries, delivery_contents, outbox
from shared.storage.webhooks.deliveries import Delivered
from tests.simulation.mistakes.mistake import Mistake, changed

_EARLIER_FIRST = (
    " AND NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.payment_id = d.payment_id AND e.target = d.target"
    " AND e.sequence < d.sequence AND e.state = 'waiting' AND e.tried_at IS NULL LIMIT 1 OFFSET 0)"
)


@contextmanager
def delivered_in_any_order() -> Iterator[None]:
    """Send a delivery before the earlier ones of its payment."""
    one = changed(deliveries._LEASE, (_EARLIER_FIRST, ""))
    of_target = changed(deliveries._LEASE_OF_TARGET, (_EARLIER_FIRST, ""))
    with patch.object(deliveries, "_LEASE", one), patch.object(deliveries, "_LEASE_OF_TARGET", of_target):
        yield


@contextmanager
def doubt_without_event() -> Iterator[None]:
    """Write no event of a doubt."""
    original = outbox.add_event

    async def add_event(tx: Transaction, payment: Payment, type_: EventType) -> None:
        if type_ is not EventType.IN_DOUBT:
            await original(tx, payment, type_)

    with patch.object(ending, "add_event", add_event):
        yield


def no_relay() -> AbstractContextManager[object]:
    """Never sweep for deliveries whose wake-up was lost."""

    async def sweep(_: Relay) -> int:
        return 0

    return patch.object(Relay, "sweep", sweep)


def event_with_state_of_now() -> AbstractContextManager[object]:
    """Send an event with the payment as it is at that moment."""
    newest = "SELECT n.body FROM events n WHERE n.payment_id = e.payment_id ORDER BY n.sequence DESC LIMIT 1"
    events = Statement(f"SELECT e.number, e.at, ({newest}) AS body FROM events e WHERE e.number {{in_ids}}")
    return patch.object(delivery_contents, "_EVENTS", events)


def every_answer_a_success() -> AbstractContextManager[object]:
    """Count a delivery as done whatever its receiver answers."""

    def after_answer(_status: int, _retry_after: str | None, **_: Any) -> Delivered:
        return Delivered()

    return patch.object(attempt, "after_answer", after_answer)


#: Found by random histories.
NOTIFICATION_MISTAKES: dict[str, Mistake] = {
    "a doubt without an event": doubt_without_event,
    "deliveries that are not swept": no_relay,
    "every answer taken for a success": every_answer_a_success,
}
