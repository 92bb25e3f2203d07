"""A transaction's statuses and their transitions.

Rule 1. Only this table changes a status.
Rule 2. A collection is the last proof: a collected transaction is captured, a cancelled one too. That is a
contradiction, which its history marks.
Rule 3. A refused transaction stays refused.
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
