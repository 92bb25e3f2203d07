"""Debits of the same card, amount and terminal near each other: was the customer charged twice?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.payment.payment import Operation
from shared.payment.states import LIVE_STATES, State
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments.rows import payment_of
from shared.storage.payments.snapshots import AnsweredPayment

#: Payments that are shown beside one; a test rig repeats the same sale for hours.
NEAR_AT_MOST: Final = 50

#: Payments of the same merchant, amount and terminal near one, with the same card or, as in doubt, without
#: one; and the reversals and credits of these debits.
_NEAR = Statement(
    "SELECT {payment}, {another_blocks} AS another_blocks FROM payments WHERE id IN ("
    " SELECT near.id FROM payments one JOIN payments near ON near.terminal_address = one.terminal_address"
    " AND near.created_at BETWEEN one.created_at - :within_ms AND one.created_at + :within_ms"
    " AND near.merchant_id = one.merchant_id AND near.amount_cents = one.amount_cents"
    " AND (near.masked_card = one.masked_card OR near.masked_card IS NULL OR one.masked_card IS NULL)"
    " WHERE one.id = :payment_id"
    " UNION ALL SELECT given_back.id FROM payments one JOIN payments near"
    " ON near.terminal_address = one.terminal_address"
    " AND near.created_at BETWEEN one.created_at - :within_ms AND one.created_at + :within_ms"
    " AND near.merchant_id = one.merchant_id AND near.amount_cents = one.amount_cents"
    " AND (near.masked_card = one.masked_card OR near.masked_card IS NULL OR one.masked_card IS NULL)"
    " JOIN payments given_back ON given_back.debit_id = near.id"
    " WHERE one.id = :payment_id)"
    " ORDER BY created_at, id LIMIT :most"
)


@dataclass(frozen=True, slots=True)
class EqualCharges:
    """Payments side by side, the oldest first."""

    payments: list[AnsweredPayment]

    @property
    def charged(self) -> int:
        """The number of debits that charged the card; a success that a proof contradicts is none."""
        return sum(_is_debit(each) and _has_charged(each) for each in self.payments)

    @property
    def may_have_charged(self) -> int:
        """The number of further debits whose outcome is open or contradicted."""
        return sum(_is_debit(each) and _is_open(each) for each in self.payments)

    @property
    def given_back(self) -> int:
        """The number of reversals and credits that succeeded."""
        return sum(not _is_debit(each) and _has_charged(each) for each in self.payments)


async def near(database: Database, payment_id: str, *, within_ms: int) -> EqualCharges:
    """Return a payment with those of the same card, amount and terminal near it. Raises DatabaseUnavailable.

    A payment without a terminal address, or of an unknown id, has none beside it.
    """
    found = await database.read(lambda tx: _near(tx, payment_id, within_ms))
    return EqualCharges(found)


async def groups(database: Database, payment_ids: Sequence[str], *, within_ms: int) -> list[EqualCharges]:
    """Return each group of equal charges that one of these payments belongs to, once."""

    async def work(tx: Transaction) -> list[EqualCharges]:
        found: list[EqualCharges] = []
        shown: set[str] = set()
        for payment_id in payment_ids:
            if payment_id not in shown:
                group = await _near(tx, payment_id, within_ms)
                shown.update(each.payment.id for each in group)
                found.append(EqualCharges(group))
        return found

    return await database.read(work)


async def _near(tx: Transaction, payment_id: str, within_ms: int) -> list[AnsweredPayment]:
    rows = await tx.all(_NEAR, payment_id=payment_id, within_ms=within_ms, most=NEAR_AT_MOST)
    return [AnsweredPayment(payment_of(row), another_attempt_blocks=bool(row.another_blocks)) for row in rows]


def _is_debit(each: AnsweredPayment) -> bool:
    return each.payment.operation is Operation.DEBIT


def _has_charged(each: AnsweredPayment) -> bool:
    return each.payment.state is State.SUCCEEDED and not each.payment.contradicted


def _is_open(each: AnsweredPayment) -> bool:
    return each.payment.contradicted or each.payment.state in LIVE_STATES - {State.QUEUED}
