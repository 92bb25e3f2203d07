"""Snapshots of stored payments: the state now, with the response that a waiting client gets."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.payment.answers import ResponseSpec, response_for
from shared.payment.payment import Payment
from shared.payment.states import State
from shared.storage.db.engine import Database, Row
from shared.storage.db.statement import Statement
from shared.storage.payments.rows import payment_of

_GET = Statement("SELECT {payment} FROM payments WHERE id = :payment_id")

#: Payments with the age of their doubt, and whether their terminal locks are still held for them.
_SNAPSHOT: Final = (
    "SELECT {payment}, {now} - doubted_at AS doubt_ms, EXISTS (SELECT 1 FROM terminal_locks"
    " WHERE terminal_locks.address = payments.terminal_address AND terminal_locks.held_by = payments.id)"
    " AS terminal_is_locked,"
    " {another_blocks} AS another_blocks FROM payments"
)
_SNAPSHOTS = Statement(_SNAPSHOT + " WHERE id {in_ids}")
#: Another merchant's payment is not even read: it takes as long as one that does not exist.
_OWN = Statement(_SNAPSHOT + " WHERE id = :payment_id AND merchant_id = :merchant_id")

#: By primary key only: one statement for all waiters of a process.
_STATES = Statement("SELECT id, state FROM payments WHERE id {in_ids}")


@dataclass(frozen=True, slots=True)
class AnsweredPayment:
    """A payment with what its response depends on."""

    payment: Payment
    #: Another attempt of its operation blocks new ones; none does in the transaction that ends a payment.
    another_attempt_blocks: bool = field(default=False, kw_only=True)

    @property
    def response(self) -> ResponseSpec:
        """Return the response that its client gets now."""
        return response_for(self.payment, another_attempt_blocks=self.another_attempt_blocks)


@dataclass(frozen=True, slots=True)
class PaymentSnapshot(AnsweredPayment):
    """A payment as it is stored now, for a client that waits for its result."""

    #: By the database's clock; 0 for a payment that was never in doubt.
    doubt_age_seconds: float
    #: The worker that holds the terminal lock may still settle it.
    terminal_is_locked: bool

    @property
    def resolving(self) -> bool | None:
        """Return True while the payment may still be settled without an operator; None once it is settled."""
        if self.payment.is_final:
            return None
        return self.terminal_is_locked or self.payment.state is not State.IN_DOUBT


async def payment(database: Database, payment_id: str) -> Payment | None:
    """Return a payment; None: there is none of this id."""
    row = await database.read(lambda tx: tx.one(_GET, payment_id=payment_id))
    return None if row is None else payment_of(row)


async def snapshots(database: Database, payment_ids: Sequence[str]) -> dict[str, PaymentSnapshot]:
    """Return the payments by id, in one statement."""
    rows = await database.read(lambda tx: tx.all_of(_SNAPSHOTS, payment_ids))
    return {row.id: _snapshot_of(row) for row in rows}


async def own_snapshot(database: Database, merchant_id: str, payment_id: str) -> PaymentSnapshot | None:
    """Return a payment of this merchant; None: it has none of this id."""
    row = await database.read(lambda tx: tx.one(_OWN, payment_id=payment_id, merchant_id=merchant_id))
    return None if row is None else _snapshot_of(row)


def _snapshot_of(row: Row) -> PaymentSnapshot:
    return PaymentSnapshot(
        payment_of(row),
        max(0, row.doubt_ms or 0) / 1000,
        terminal_is_locked=bool(row.terminal_is_locked),
        another_attempt_blocks=bool(row.another_blocks),
    )


async def states(database: Database, payment_ids: Sequence[str]) -> dict[str, State]:
    """Return the state of each payment, in one statement."""
    rows = await database.read(lambda tx: tx.all_of(_STATES, payment_ids))
    return {row.id: State(row.state) for row in rows}
