"""The `payment` object of answers as a dictionary."""

from typing import Any

from api.payments.models import Payment
from shared.payment import payment as stored


def payment_object(
    payment: stored.Payment, *, safe_to_retry: bool, replayed: bool = False, resolving: bool | None = None
) -> dict[str, Any]:
    """Return the object; what is not known is left out."""
    return Payment.of(payment, safe_to_retry=safe_to_retry, replayed=replayed, resolving=resolving).shown()
