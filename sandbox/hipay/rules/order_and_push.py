"""Order notification and gateway push. Amounts in cents, times in Unix ms."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Operation(StrEnum):
    """Operation of the terminal."""

    DEBIT = "debit"
    REVERSAL = "reversal"
    CREDIT = "credit"


class Kind(StrEnum):
    """Kind of a push."""

    #: The issuer's answer, approved or refused.
    AUTHORISATION = "authorisation"
    #: The transaction was done at the terminal.
    COMPLETION = "completion"
    #: The transaction was remotely collected: the money moves.
    COLLECTION = "collection"


@dataclass(frozen=True, slots=True)
class Contract:
    """One entry of an order's contract array."""

    merchant_contract: str
    rank: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNotice:
    """One order notification, of one payment."""

    #: `pay_...`.
    reference: str
    merchant_id: str
    order_id: str
    operation: Operation
    amount_cents: int
    currency: str
    #: Time of the payment's acceptance.
    created_at_ms: int
    attempt: int = 1
    contracts: tuple[Contract, ...] = ()
    #: The whole notification, for pages and the merchant's notification.
    content: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One record of the gateway."""

    record_id: str
    kind: Kind
    operation: Operation
    amount_cents: int
    currency: str
    approved: bool
    #: ISO 8583.
    code: str
    #: The payment's id, where the record carries it.
    reference: str | None
    #: Links a completion or collection to its authorisation; None where the terminal asked for none.
    authorisation_id: str | None
    #: The terminal's transaction; None in an authorisation.
    transaction_id: str | None
    at_ms: int
    contract: str | None = None
    rank: str | None = None
    application: str | None = None
    authorisation_number: str | None = None
    masked_pan: str | None = None
    brand: str | None = None
    entry_mode: str | None = None
    aid: str | None = None
    serial: str | None = None
    pos_number: str | None = None
    address: str | None = None
    receipt: str | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the ids that other pushes of the same transaction share."""
        return tuple(key for key in (self.authorisation_id, self.transaction_id) if key is not None)
