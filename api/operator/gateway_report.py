"""What a gateway reports of a payment: the schema of the body and its reading, card data masked at once."""

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from api.connector.validation import BodyChecker
from api.http.errors import InvalidRequest
from api.http.json_text import write_json
from shared.concert.echoes import find_reference
from shared.concert.mask import mask_card, mask_card_numbers
from shared.payment.gateway import GatewayRecord

#: What a gateway may say of a transaction; the last two prove that money moved.
STATUSES: Final = (
    "authorised",
    "refused",
    "cancelled",
    "reversed",
    "expired",
    "error",
    "completed",
    "collected",
)

GATEWAY_REPORT: Final[dict[str, Any]] = {
    "type": "object",
    "description": "One record of a gateway. It names its payment by `reference`, which the record itself "
    "carries, or by `payment_id`, where the sender joined it to the payment in another way (amount and time, "
    "say); exactly one of them.",
    "required": ["source", "record_id", "status", "amount", "currency"],
    "x-published": {
        "oneOf": [
            {"required": ["reference"], "properties": {"payment_id": False}},
            {"required": ["payment_id"], "properties": {"reference": False}},
        ]
    },
    "properties": {
        "source": {
            "type": "string",
            "minLength": 1,
            "maxLength": 64,
            "pattern": "^[A-Za-z0-9._-]*$",
            "description": "The gateway's name.",
            "examples": ["preludd"],
        },
        "record_id": {
            "type": "string",
            "minLength": 1,
            "maxLength": 128,
            "pattern": "^[!-~]*$",
            "description": "The gateway's own id of this record. A record is taken once, however often it is "
            "reported; a later status of the same transaction is a record of its own.",
            "examples": ["2026-03-05/000123/completed"],
        },
        "reference": {
            "type": "string",
            "minLength": 1,
            "maxLength": 128,
            "pattern": "^[^\\u0000]*$",
            "description": "Our payment's id as the record itself carries it; other text may surround it.",
            "examples": ["pay_01JNK4T0V8W9A4C6Q2Y3ZB5XDE"],
        },
        "payment_id": {
            "type": "string",
            "minLength": 1,
            "maxLength": 64,
            "pattern": "^[^\\u0000]*$",
            "description": "The payment that the sender joined the record to. Such a record is a hint.",
            "examples": ["pay_01JNK4T0V8W9A4C6Q2Y3ZB5XDE"],
        },
        "status": {
            "type": "string",
            "enum": list(STATUSES),
            "description": "What became of the transaction. Only `completed` and `collected`, in a record "
            "that carries our reference with the payment's amount and currency, prove a success; an "
            "authorisation alone, granted or refused, proves nothing.",
            "examples": ["completed"],
        },
        "amount": {
            "type": "integer",
            "minimum": 0,
            "maximum": 999_999_999_999,
            "description": "Amount in cents.",
            "examples": [100],
        },
        "currency": {
            "type": "string",
            "pattern": "^[A-Z]{3}$",
            "description": "ISO 4217 code.",
            "examples": ["EUR"],
        },
        "authorisation_number": {
            "type": "string",
            "maxLength": 16,
            "pattern": "^[!-~]*$",
            "description": "Number of the authorisation.",
            "examples": ["184117"],
        },
        "masked_card": {
            "type": "string",
            "maxLength": 64,
            "pattern": "^[^\\u0000]*$",
            "description": "Card number. All but its first 6 and last 4 digits are masked at once.",
            "examples": ["497010******0003"],
        },
        "occurred_at": {
            "type": "string",
            "maxLength": 35,
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,15}(Z|[+-][0-9]{2}:[0-9]{2})$",
            "description": "When it happened, ISO 8601 with its offset.",
            "examples": ["2026-03-05T12:06:58.123Z"],
        },
    },
}


@dataclass(frozen=True, slots=True)
class GatewayReport:
    """A report that was read. `payment_id` is None where the reference is none of ours."""

    payment_id: str | None
    source: str
    #: Names the record for the database; a hash, since a gateway's ids may look like anything.
    record_key: str
    record: GatewayRecord

    @property
    def content(self) -> str:
        """What the record says, as text that is the same for the same report."""
        return write_json(self.record.to_json())


def parse_report(body: bytes, nesting_limit: int) -> GatewayReport:
    """Return the report of a body. Raises UnreadableBody and InvalidRequest."""
    said = _checker().read(body, nesting_limit)
    reference, joined = said.get("reference"), said.get("payment_id")
    if reference is not None and joined is not None:
        raise InvalidRequest(
            "not",
            "should NOT be valid",
            "payment_id",
            "reference and payment_id exclude each other: either the record carries our reference or not",
        )
    if reference is None and joined is None:
        raise InvalidRequest("required", "should have required property 'reference'", "reference")
    card = said.get("masked_card")
    return GatewayReport(
        payment_id=joined if reference is None else find_reference(reference),
        source=said["source"],
        record_key=hashlib.sha256(said["record_id"].encode()).hexdigest(),
        record=GatewayRecord(
            source=mask_card_numbers(said["source"]),
            record_id=mask_card_numbers(said["record_id"]),
            carries_reference=reference is not None,
            status=said["status"],
            amount_cents=int(said["amount"]),
            currency=said["currency"],
            authorisation_number=_masked(said.get("authorisation_number")),
            masked_card=None if card is None else mask_card(card),
            occurred_at=said.get("occurred_at"),
        ),
    )


@cache
def _checker() -> BodyChecker:
    return BodyChecker(GATEWAY_REPORT)


def _masked(text: str | None) -> str | None:
    return None if text is None else mask_card_numbers(text)
