"""The terminal's journal: numbered transactions, what was reversed, what waits for collection. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from sandbox.terminal.device.bank import Authorisation
from sandbox.terminal.device.card import Presented
from shared.concert.fields import Action

#: Older transactions are forgotten, collected or not: far more than a real terminal keeps before it insists.
KEPT_TRANSACTIONS: Final = 10_000

Result = Literal["done", "refused", "abandoned", "walked_away"]


class Fate(StrEnum):
    """What becomes of a transaction after its end."""

    #: Refused or abandoned: nothing to collect.
    NOTHING = "nothing"
    #: Done, waits for the collection. Until then a debit can be reversed.
    STORED = "stored"
    #: A debit that was reversed, and the reversal: both leave nothing to collect.
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
    #: What was really paid, in cents.
    amount_cents: int
    result: Result
    fate: Fate
    #: The request's CF.
    reference: str | None
    #: The same as the gateway is told it; None where it is told none.
    gateway_reference: str | None
    #: CA.
    pos_number: str | None
    #: None: it ended before any card.
    presented: Presented | None
    #: None: none was asked.
    authorisation: Authorisation | None
    contract: str
    rank: str
    #: AF; None where it was done.
    answer_code: str | None
    #: The number of the debit that this reversal undid.
    reverses: int | None = None
    #: The batch in which it was sent.
    batch: int | None = None
    customer_receipt: str
    merchant_receipt: str

    @property
    def signed_cents(self) -> int:
        """What it adds to a collection's sum: a credit takes from it."""
        return -self.amount_cents if self.action == Action.CREDIT else self.amount_cents


Journal = tuple[Transaction, ...]


def reversible_debit(journal: Journal, amount_cents: int, card_number: str) -> Transaction | None:
    """Return the newest debit of this amount and this card that was neither reversed nor sent."""
    for transaction in reversed(journal):
        if (
            transaction.fate is Fate.STORED
            and transaction.action == Action.DEBIT
            and transaction.amount_cents == amount_cents
            and transaction.presented is not None
            and transaction.presented.card.pan == card_number
        ):
            return transaction
    return None


def with_transaction(journal: Journal, new: Transaction) -> Journal:
    """Return the journal with one more; where it is a reversal, its debit is reversed."""
    if new.reverses is not None:
        journal = tuple(
            replace(old, fate=Fate.REVERSED) if old.number == new.reverses else old for old in journal
        )
    return (*journal[-(KEPT_TRANSACTIONS - 1) :], new)


def next_batch(journal: Journal, last_batch: int) -> tuple[int, Journal]:
    """Return the number and the transactions of the batch to send; empty where nothing waits.

    A batch that was not acknowledged is sent again as it was, under its number: it may have arrived.
    """
    sent = tuple(transaction for transaction in journal if transaction.fate is Fate.SENT)
    if sent:
        return last_batch, sent
    return last_batch + 1, tuple(t for t in journal if t.fate is Fate.STORED)


def marked(journal: Journal, numbers: Iterable[int], fate: Fate, batch: int) -> Journal:
    """Return the journal in which these transactions met this fate."""
    chosen = frozenset(numbers)
    return tuple(
        replace(transaction, fate=fate, batch=batch) if transaction.number in chosen else transaction
        for transaction in journal
    )


def sum_cents(transactions: Iterable[Transaction]) -> int:
    """Debits less credits."""
    return sum(transaction.signed_cents for transaction in transactions)
