"""Contradictions as operators notice them: a log line and a count, wherever the proof was stored."""

import structlog

from shared.metrics.metrics import Metrics
from shared.payment.payment import Payment
from shared.runtime.resilience import failures_logged

_log = structlog.get_logger()


def note_contradiction(metrics: Metrics, payment: Payment) -> None:
    """Log and count a final payment that stored evidence conflicts with; call it after the commit."""
    with failures_logged("contradiction not counted", payment_id=payment.id):
        _log.error("payment contradicted", payment_id=payment.id, state=payment.state)
        metrics.contradictions.inc()
