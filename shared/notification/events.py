"""The events that a merchant hears of: their types, and the payment as it was then.

The result's fields have the names that HiPay's Terminal API uses for results (id, references, result, card,
authorization, processing), so that a receiver written for it finds its way.
"""

from enum import StrEnum
from typing import Any, Final

from shared.concert.receipt import encode_receipt
from shared.payment.answers import response_for
from shared.payment.payment import Payment, Reason
from shared.payment.settlement import Result
from shared.payment.states import State
from shared.runtime.clock import iso_time


class EventType(StrEnum):
    """What happened; every state that a payment's caller could be told is an event."""

    SUCCEEDED = "payment.succeeded"
    REFUSED = "payment.refused"
    ABORTED = "payment.aborted"
    UNREACHABLE = "payment.unreachable"
    EXPIRED = "payment.expired"
    CANCELLED = "payment.cancelled"
    #: The outcome is unknown; `payment.resolved` follows once it is proved.
    IN_DOUBT = "payment.in_doubt"
    #: A doubt has ended; the state says how.
    RESOLVED = "payment.resolved"
    #: A proof contradicts the state that was told; the state stays, a person must look.
    CONTRADICTED = "payment.contradicted"
    #: Sent because somebody asked for a test.
    TEST = "endpoint.test"


#: The types that payments cause.
PAYMENT_TYPES: Final = tuple(type_ for type_ in EventType if type_ is not EventType.TEST)

_OF_STATE: Final = {
    State.SUCCEEDED: EventType.SUCCEEDED,
    State.REFUSED: EventType.REFUSED,
    State.ABORTED: EventType.ABORTED,
    State.UNREACHABLE: EventType.UNREACHABLE,
    State.EXPIRED: EventType.EXPIRED,
    State.CANCELLED: EventType.CANCELLED,
    State.IN_DOUBT: EventType.IN_DOUBT,
}

#: The word of HiPay's Terminal API for each state.
_STATUS: Final = {
    State.SUCCEEDED: "Success",
    State.REFUSED: "Refused",
    State.ABORTED: "Aborted",
    State.UNREACHABLE: "Error",
    State.EXPIRED: "Error",
    State.CANCELLED: "Aborted",
    State.IN_DOUBT: "Unknown",
}

#: The protocol's field CI in words.
_READ_MODES: Final = {"1": "contact", "2": "contactless", "3": "magnetic_stripe", "4": "manual"}


def type_of(state: State, *, ends_doubt: bool) -> EventType:
    """Return the type for a payment that reached this state; `ends_doubt`: its doubt had been told."""
    return EventType.RESOLVED if ends_doubt else _OF_STATE[state]


def event_body(payment: Payment) -> dict[str, Any]:
    """Return what an event says of the payment as it is now; what is not known is left out.

    Amounts are in cents, times ISO 8601 with milliseconds; `result.timestamp` is in milliseconds since 1970,
    `result.receipt` the customer's receipt in base64.
    """
    told = response_for(payment)
    body: dict[str, Any] = {
        "payment_id": payment.id,
        "order_id": payment.order_id,
        "operation": payment.operation.value,
        "state": payment.state.value,
        "reason": payment.reason,
        "safe_to_retry": told.safe_to_retry,
        "contradicted": payment.contradicted or None,
        "resolved_by": payment.resolved_by,
        "created_at": iso_time(payment.created_at),
        "claimed_at": iso_time(payment.claimed_at),
        "doubted_at": iso_time(payment.doubted_at),
        "ended_at": iso_time(payment.ended_at),
        "warnings": list(payment.result.warnings) or None,
        "id": payment.id,
        "references": {"order": payment.order_id},
        "result": _result(payment, told.error_code),
        **_transaction(payment.result),
    }
    return _known(body)


def _result(payment: Payment, code: str | None) -> dict[str, Any]:
    return _known(
        {
            "status": _status(payment),
            "code": code,
            "message": payment.result.error_description,
            "amount": payment.paid_or_asked_cents,
            "currency": payment.currency,
            "timestamp": payment.ended_at or payment.doubted_at or payment.created_at,
            "receipt": None if payment.result.receipt is None else encode_receipt(payment.result.receipt),
        }
    )


def _status(payment: Payment) -> str:
    busy = payment.state is State.UNREACHABLE and payment.reason == Reason.BUSY
    held = payment.state is State.EXPIRED and payment.reason == Reason.HELD
    return "Busy" if busy or held else _STATUS[payment.state]


def _transaction(result: Result) -> dict[str, Any]:
    """Return card, authorisation and everything else that the terminal told of the transaction."""
    shown = result.shown()
    card, number = shown.pop("masked_card"), shown.pop("authorisation_number")
    mode = _READ_MODES.get(result.card_read_mode or "")
    return {
        "card": None if card is None else {"pan": card},
        "authorization": None if number is None else {"number": number},
        "processing": _known({"mode": mode, **shown}) or None,
    }


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
