"""Facts of a transaction's payment: of each the newest value in its pushes."""

from dataclasses import dataclass, fields
from typing import Any

from sandbox.hipay.rules.transaction import Transaction


@dataclass(frozen=True, slots=True)
class PaymentFacts:
    """Card, terminal and authorisation of a transaction; None where no push has the fact."""

    brand: str | None
    masked_pan: str | None
    entry_mode: str | None
    aid: str | None
    application: str | None
    contract: str | None
    rank: str | None
    authorisation_number: str | None
    code: str | None
    serial: str | None
    pos_number: str | None
    address: str | None
    receipt: str | None
    authorisation_id: str | None
    transaction_id: str | None


def facts_of(transaction: Transaction) -> PaymentFacts:
    """Return the facts; pushes of a debit's reversal or credit are left out."""
    pushes = [push for push in reversed(transaction.pushes) if push.operation is transaction.operation]

    def newest(name: str) -> Any:
        return next((value for push in pushes if (value := getattr(push, name)) is not None), None)

    return PaymentFacts(**{field.name: newest(field.name) for field in fields(PaymentFacts)})
