"""This project's own `payment` object, which every answer about a payment carries."""

from typing import Any

from shared.concert.fields import APPLICATIONS
from shared.payment.payment import Payment
from shared.runtime.clock import iso_time


def payment_object(
    payment: Payment, *, safe_to_retry: bool, replayed: bool = False, resolving: bool | None = None
) -> dict[str, Any]:
    """Return the object; what is not known is left out.

    `amount` is in cents: what was really paid, else what was asked for. `resolving` says of a payment
    without an outcome whether anything may still settle it by itself.
    """
    result = payment.result
    shown: dict[str, Any] = {
        "id": payment.id,
        "order_id": payment.order_id,
        "operation": payment.operation.value,
        "state": payment.state.value,
        "reason": payment.reason,
        "safe_to_retry": safe_to_retry,
        "replayed": replayed,
        "resolving": resolving,
        "contradicted": payment.contradicted or None,
        "amount": payment.paid_or_asked_cents,
        "currency": payment.currency,
        **result.shown(),
        "application_name": APPLICATIONS.get(result.application or ""),
        "created_at": iso_time(payment.created_at),
        "claimed_at": iso_time(payment.claimed_at),
        "doubted_at": iso_time(payment.doubted_at),
        "resolved_by": payment.resolved_by,
        "ended_at": iso_time(payment.ended_at),
        "held_since": iso_time(payment.held_since),
        "warnings": list(result.warnings),
    }
    return {name: value for name, value in shown.items() if value is not None}
