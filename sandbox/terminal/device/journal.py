"""The terminal's journal: numbered transactions, reversals, batches for collection. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from sandbox.terminal.device.card import Authorisation, CardRead
from shared.concert.fields import Action

#: Older transactions are dropped, collected or not.
KEPT_TRANSACTIONS: Final = 10_000

Result = Literal["done", "refused", "abandoned", "walked_away"]


class Fate(StrEnum):
    """State of an ended transaction on its way to collection."""

    #: Refused or abandoned: nothing to collect.
    NOTHING = "nothing"
    #: Done, to be collected. Until then a debit can be reversed.
    STORED = "stored"
    #: A reversed debit, and its reversal: nothing to collect.
    REVERSED = "reversed"
    #: In a batch that was sent and not acknowledged: it may have arrived.
    SENT = "sent"
    COLLECTED = "collected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One numbered transaction, done or not."""

    number: int
    at: datetime
    #: CD.
    action: str
    #: The amount paid.
    amount_cents: int
    result: Result
    fate: Fate
    #: The request's CF.
    reference: str | None
    #: CF as sent to the gateway; None where it is not sent.
    gateway_reference: str | None
    #: CA.
    pos_number: str | None
    #: None: it ended before a card was read.
    card_read: CardRead | None
    #: None: the terminal asked for none.
    authorisation: Authorisation | None
    contract: str
    rank: str
    #: AF; None where it was done.
    answer_code: str | None
    #: Number of the reversed debit.
    reverses: int | None = None
    #: Number of the batch in which it was sent.
    batch: int | None = None
    customer_receipt: str
    merchant_receipt: str

    @property
    def signed_cents(self) -> int:
        """Return its part of a collection's sum, negative for a credit."""
        return -self.amount_cents if self.action == Action.CREDIT else self.amount_cents


Journal = tuple[Transaction, ...]


def reversible_debit(journal: Journal, amount_cents: int, card_number: str) -> Transaction | None:
    """Return the newest debit of this amount and this card that was neither reversed nor sent."""
    for transaction in reversed(journal):
        if (
            transaction.fate is Fate.STORED
            and transaction.action == Action.DEBIT
            and transaction.amount_cents == amount_cents
            and transaction.card_read is not None
            and transaction.card_read.card.pan == card_number
        ):
            return transaction
    return None


def with_transaction(journal: Journal, new: Transaction) -> Journal:
    """Return the journal with one more transaction; a reversal marks its debit."""
    if new.reverses is not None:
        journal = tuple(
            replace(old, fate=Fate.REVERSED) if old.number == new.reverses else old for old in journal
        )
    return (*journal[-(KEPT_TRANSACTIONS - 1) :], new)


def next_batch(journal: Journal, last_batch: int) -> tuple[int, Journal]:
    """Return number and transactions of the batch to send; empty where there is nothing to collect.

    A batch that was not acknowledged is sent again unchanged, under its number: it may have arrived.
    """
    sent = tuple(transaction for transaction in journal if transaction.fate is Fate.SENT)
    if sent:
        return last_batch, sent
    return last_batch + 1, tuple(t for t in journal if t.fate is Fate.STORED)


def marked(journal: Journal, numbers: Iterable[int], fate: Fate, batch: int) -> Journal:
    """Return the journal with this fate and batch for the transactions of these numbers."""
    chosen = frozenset(numbers)
    return tuple(
        replace(transaction, fate=fate, batch=batch) if transaction.number in chosen else transaction
        for transaction in journal
    )


def sum_cents(transactions: Iterable[Transaction]) -> int:
    """Return the sum of debits less credits."""
    return sum(transaction.signed_cents for transaction in transactions)
