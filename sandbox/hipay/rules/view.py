"""What a transaction's pushes say together: of each fact the newest that any of them names."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.hipay.rules.order_and_push import Push
from sandbox.hipay.rules.transaction import Transaction


@dataclass(frozen=True, slots=True)
class PaymentFacts:
    """The card, the terminal and the authorisation of a transaction; None where nothing is known."""

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
    """Return them; a reversal's or credit's own records say nothing of the debit."""
    pushes = [push for push in reversed(transaction.pushes) if push.operation is transaction.operation]

    def first(read: Callable[[Push], Any]) -> Any:
        return next((value for value in map(read, pushes) if value is not None), None)

    return PaymentFacts(
        brand=first(lambda push: push.brand),
        masked_pan=first(lambda push: push.masked_pan),
        entry_mode=first(lambda push: push.entry_mode),
        aid=first(lambda push: push.aid),
        application=first(lambda push: push.application),
        contract=first(lambda push: push.contract),
        rank=first(lambda push: push.rank),
        authorisation_number=first(lambda push: push.authorisation_number),
        code=first(lambda push: push.code),
        serial=first(lambda push: push.serial),
        pos_number=first(lambda push: push.pos_number),
        address=first(lambda push: push.address),
        receipt=first(lambda push: push.receipt),
        authorisation_id=first(lambda push: push.authorisation_id),
        transaction_id=first(lambda push: push.transaction_id),
    )
