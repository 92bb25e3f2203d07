"""Consequences of a stored change: waiting requests are woken, contradictions are logged."""

from typing import Final

import structlog

from shared.broker.reply_publisher import ReplyPublisher
from shared.metrics.contradictions import note_contradiction
from shared.metrics.metrics import Metrics
from shared.payment.payment import Payment
from shared.runtime.resilience import failures_logged

_log = structlog.get_logger()


class PaymentChanges:
    """A notifier of payments that a client, a gateway's record or an operator's decision changed."""

    def __init__(self, reply_publisher: ReplyPublisher, metrics: Metrics) -> None:
        self._reply_publisher: Final = reply_publisher
        self._metrics: Final = metrics

    async def cancelled(self, payment: Payment) -> None:
        """Count a cancelled payment and wake the requests that wait for it."""
        with failures_logged("payment not counted", payment_id=payment.id):
            _log.info("payment cancelled", payment_id=payment.id)
            self._metrics.payment_ended(payment.operation, payment.state, payment.reason)
        await self._reply_publisher.reply(payment.id, payment.reply_to)

    async def evidence_stored(self, before: Payment, now: Payment) -> None:
        """Compare the payment before and after; log, count and publish its change."""
        if now.is_final and not before.is_final:
            with failures_logged("doubt not counted", payment_id=now.id):
                _log.info("doubt resolved", payment_id=now.id, state=now.state, by=now.resolved_by)
                self._metrics.doubt_resolved(now)
            await self._reply_publisher.reply(now.id, now.reply_to)
        if now.contradicted and not before.contradicted:
            note_contradiction(self._metrics, now)
