"""A transaction's statuses, their transitions, and the reasons of a refusal.

Rule 1. Only this table changes a status.
Rule 2. A collection is the last proof: a collected transaction is captured, a cancelled one too. That is a
contradiction, which its history marks.
Rule 3. A refused transaction stays refused.

The choice of a refusal's reason by ISO 8583 code is this project's.
"""

from enum import IntEnum, StrEnum
from typing import Final


class Status(IntEnum):
    """HiPay's status number; `NAMES` has its name."""

    REFUSED = 113
    CANCELLED = 115
    AUTHORIZED = 116
    CAPTURED = 118
    REFUNDED = 125
    PARTIALLY_REFUNDED = 126
    CREDITED = 166
    CREDIT_REQUESTED = 169


NAMES: Final = {
    Status.REFUSED: "Refused",
    Status.CANCELLED: "Cancelled",
    Status.AUTHORIZED: "Authorized",
    Status.CAPTURED: "Captured",
    Status.REFUNDED: "Refunded",
    Status.PARTIALLY_REFUNDED: "Partially Refunded",
    Status.CREDITED: "Credited",
    Status.CREDIT_REQUESTED: "Credit Requested",
}


class Event(StrEnum):
    """Event of a transaction."""

    #: Order and push matched, the issuer approved.
    AUTHORISED = "authorised"
    #: Order and push matched, the issuer refused.
    REFUSED = "refused"
    COLLECTED = "collected"
    CANCELLED = "cancelled"
    #: A part was paid back; `REFUNDED_ALL`: the rest.
    REFUNDED = "refunded"
    REFUNDED_ALL = "refunded_all"
    CREDIT_AUTHORISED = "credit_authorised"
    CREDIT_COLLECTED = "credit_collected"


#: None: there is no transaction yet.
TRANSITIONS: Final[dict[Status | None, dict[Event, Status]]] = {
    None: {
        Event.AUTHORISED: Status.AUTHORIZED,
        Event.REFUSED: Status.REFUSED,
        Event.COLLECTED: Status.CAPTURED,
        Event.CREDIT_AUTHORISED: Status.CREDIT_REQUESTED,
        Event.CREDIT_COLLECTED: Status.CREDITED,
    },
    Status.AUTHORIZED: {
        Event.COLLECTED: Status.CAPTURED,
        Event.CANCELLED: Status.CANCELLED,
    },
    Status.CAPTURED: {
        Event.REFUNDED: Status.PARTIALLY_REFUNDED,
        Event.REFUNDED_ALL: Status.REFUNDED,
    },
    Status.PARTIALLY_REFUNDED: {
        Event.REFUNDED: Status.PARTIALLY_REFUNDED,
        Event.REFUNDED_ALL: Status.REFUNDED,
    },
    Status.CANCELLED: {
        Event.COLLECTED: Status.CAPTURED,
    },
    Status.CREDIT_REQUESTED: {
        Event.CREDIT_COLLECTED: Status.CREDITED,
    },
    Status.REFUSED: {},
    Status.REFUNDED: {},
    Status.CREDITED: {},
}


def follows(status: Status | None, event: Event) -> Status | None:
    """Return the status after the event; None where it changes nothing."""
    return TRANSITIONS[status].get(event)


_WITHOUT_REASON: Final = "4010101"

MESSAGES: Final = {
    _WITHOUT_REASON: "Refusal without explicit reason",
    "4010102": "Issuer not available",
    "4010103": "Insufficient funds",
    "4010201": "Transaction not permitted",
    "4010202": "Invalid card number",
    "4010204": "Card expired",
    "4010302": "Retain card",
    "4010303": "Lost or stolen card",
    "4010304": "Restricted card",
    "4010305": "Limit exceeded",
    "4000004": "Technical problem",
}

_BY_CODE: Final = {
    "91": "4010102",
    "51": "4010103",
    "57": "4010201",
    "14": "4010202",
    "54": "4010204",
    "04": "4010302",
    "07": "4010302",
    "41": "4010303",
    "43": "4010303",
    "62": "4010304",
    "61": "4010305",
    "65": "4010305",
    "96": "4000004",
}


def reason_of(iso_code: str | None) -> tuple[str, str]:
    """Return code and message of a refusal; a code that is not listed has no explicit reason."""
    code = _BY_CODE.get(iso_code or "", _WITHOUT_REASON)
    return code, MESSAGES[code]
