"""The proof that a gateway's record is of a payment.

Rule 1. Only `completed` and `collected` say that money moves; an authorisation alone, granted or refused,
says nothing of the end: the terminal may cancel after it, or succeed at a second try.
Rule 2. Only a record that itself carries our reference can prove anything: amounts and times meet by chance.
Rule 3. No record proves that no money moved.
"""

from dataclasses import asdict, dataclass
from typing import Final

from shared.payment.evidence import Evidence, Source
from shared.payment.payment import Payment, Result
from shared.payment.states import Event

MONEY_MOVES: Final = frozenset({"completed", "collected"})


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRecord:
    """One record, masked. Amounts in cents, `occurred_at` as the gateway wrote it."""

    source: str
    record_id: str
    #: Our payment's id stands in the record itself.
    carries_reference: bool
    status: str
    amount_cents: int
    currency: str
    authorisation_number: str | None = None
    masked_card: str | None = None
    occurred_at: str | None = None

    def to_json(self) -> dict[str, object]:
        return {name: value for name, value in asdict(self).items() if value is not None}


def interpret(record: GatewayRecord, payment: Payment) -> tuple[Evidence, Result]:
    """Return a record as evidence of this payment: a proof of success, or a hint with its reason."""
    why = _why_a_hint(record, payment)
    if why is not None:
        return Evidence(Source.GATEWAY, None, {**_detail(record), "hint_because": why}), Result()
    result = Result(
        paid_cents=record.amount_cents,
        authorisation_number=record.authorisation_number,
        masked_card=record.masked_card,
    )
    return Evidence(Source.GATEWAY, Event.PROVED_DONE, _detail(record)), result


def _detail(record: GatewayRecord) -> dict[str, object]:
    # `source` is the evidence's own.
    return {("from" if name == "source" else name): value for name, value in record.to_json().items()}


def _why_a_hint(record: GatewayRecord, payment: Payment) -> str | None:
    if not record.carries_reference:
        return "joined"
    if record.status not in MONEY_MOVES:
        return "status"
    if record.currency != payment.currency:
        return "currency"
    return None if record.amount_cents == payment.amount_cents else "amount"
