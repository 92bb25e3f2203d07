"""Events for merchants: their types, and the payment at the time of the event.

The result's fields have the names of HiPay's Terminal API (id, references, result, card, authorization,
processing), so that a receiver written for it can read them.
"""

from enum import StrEnum
from typing import Any, Final

from shared.concert.receipt import encode_receipt
from shared.payment.answers import response_for
from shared.payment.payment import Payment, Reason, Result
from shared.payment.states import State
from shared.runtime.clock import iso_time


class EventType(StrEnum):
    """The type of an event; there is one for every state that an API response can contain."""

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
    #: Conflicting evidence against the state of an earlier event; the state stays, an operator must check.
    CONTRADICTED = "payment.contradicted"
    #: A test that a merchant requested.
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

#: The status of HiPay's Terminal API for each state.
_STATUS: Final = {
    State.SUCCEEDED: "Success",
    State.REFUSED: "Refused",
    State.ABORTED: "Aborted",
    State.UNREACHABLE: "Error",
    State.EXPIRED: "Error",
    State.CANCELLED: "Aborted",
    State.IN_DOUBT: "Unknown",
}

#: The card read mode, by the value of field CI.
_READ_MODES: Final = {"1": "contact", "2": "contactless", "3": "magnetic_stripe", "4": "manual"}


def type_of(state: State, *, ends_doubt: bool) -> EventType:
    """Return the type for a payment that reached this state; `ends_doubt`: it was in doubt before."""
    return EventType.RESOLVED if ends_doubt else _OF_STATE[state]


def event_body(payment: Payment) -> dict[str, Any]:
    """Return an event's members about the payment as it is now, without unknown ones.

    Amounts are in cents, times ISO 8601 with milliseconds; `result.timestamp` is in milliseconds since 1970,
    `result.receipt` the customer's receipt in base64.
    """
    response = response_for(payment)
    body: dict[str, Any] = {
        "payment_id": payment.id,
        "order_id": payment.order_id,
        "operation": payment.operation.value,
        "state": payment.state.value,
        "reason": payment.reason,
        "safe_to_retry": response.safe_to_retry,
        "contradicted": payment.contradicted or None,
        "resolved_by": payment.resolved_by,
        "created_at": iso_time(payment.created_at),
        "claimed_at": iso_time(payment.claimed_at),
        "doubted_at": iso_time(payment.doubted_at),
        "ended_at": iso_time(payment.ended_at),
        "warnings": list(payment.result.warnings) or None,
        "id": payment.id,
        "references": {"order": payment.order_id},
        "result": _result(payment, response.error_code),
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
    in_use = payment.state is State.EXPIRED and payment.reason == Reason.HELD
    return "Busy" if busy or in_use else _STATUS[payment.state]


def _transaction(result: Result) -> dict[str, Any]:
    """Return card, authorisation and the other fields of the terminal's answer."""
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
