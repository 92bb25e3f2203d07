"""Endpoints, deliveries and attempts as answers show them; what is not known is left out."""

from collections.abc import Mapping
from typing import Any, Final

from api.payments.history import masked
from shared.notification.kinds import HIPAY, event_id
from shared.runtime.clock import iso_time
from shared.storage.webhooks.delivery_list import StoredAttempt, StoredDelivery
from shared.storage.webhooks.endpoints import RegisteredEndpoint

_WAITING: Final = "waiting"


def endpoint_object(endpoint: RegisteredEndpoint) -> dict[str, Any]:
    """Return the object. Of its secrets it says when they were made and until when they sign, no more."""
    return _known(
        {
            "id": endpoint.id,
            "url": endpoint.url,
            "description": endpoint.description,
            "types": list(endpoint.types),
            "disabled": endpoint.disabled_at is not None,
            "disabled_because": endpoint.disabled_because,
            "disabled_at": iso_time(endpoint.disabled_at),
            "created_at": iso_time(endpoint.created_at),
            "changed_at": iso_time(endpoint.changed_at),
            "failures": endpoint.failures,
            "paused_until": iso_time(endpoint.paused_until),
            "secrets": [
                _known({"created_at": iso_time(secret.created_at), "signs_until": iso_time(secret.ends_at)})
                for secret in endpoint.secrets
            ],
        }
    )


def delivery_object(delivery: StoredDelivery) -> dict[str, Any]:
    """Return what a merchant sees of one of its deliveries."""
    waits = delivery.state == _WAITING
    event = None
    if delivery.event_number is not None:
        event = event_id(delivery.event_number, delivery.payment_id, delivery.sequence)
    return _known(
        {
            "id": delivery.id,
            "endpoint_id": None if delivery.kind == HIPAY else delivery.target,
            "type": delivery.type,
            "event_id": event,
            "payment_id": delivery.payment_id,
            "sequence": delivery.sequence,
            "state": delivery.state,
            "reason": delivery.reason,
            "tries": delivery.tries,
            "created_at": iso_time(delivery.created_at),
            "first_tried_at": iso_time(delivery.tried_at),
            "next_try_at": iso_time(delivery.due_at) if waits else None,
            "is_being_sent": waits and delivery.is_being_sent,
            "ended_at": iso_time(delivery.ended_at),
        }
    )


def operators_delivery_object(delivery: StoredDelivery) -> dict[str, Any]:
    """The same with whose it is, and for whom."""
    return {"kind": delivery.kind, "merchant_id": delivery.merchant_id, **delivery_object(delivery)}


def attempt_object(attempt: StoredAttempt) -> dict[str, Any]:
    """Return one try; card numbers in the receiver's answer are masked."""
    return _known(
        {
            "at": iso_time(attempt.at),
            "duration_ms": attempt.duration_ms,
            "status": attempt.status,
            "error": attempt.error,
            "answer": masked(attempt.answer),
            "location": attempt.location,
        }
    )


def _known(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
