"""Locks and reads of an order's debits, with their reversals and credits."""

from collections.abc import Sequence
from typing import Final

from shared.payment.debit_choice import KnownDebit
from shared.payment.order_guard import RelatedOperation
from shared.payment.payment import Operation
from shared.payment.states import State
from shared.storage.db.engine import Row, Transaction
from shared.storage.db.statement import Statement

#: The debits that a request can mean: the one that blocks new attempts, each with conflicting evidence, the
#: newest, and the one whose reversal or credit has the request's own Idempotency-Key. Earlier plain failures
#: are left out, and successes whose order number was reused.
_CAN_BE_MEANT: Final = (
    "SELECT id FROM payments WHERE merchant_id = :merchant_id AND operation_key = :operation_key"
    " AND (guard_key IS NOT NULL OR contradicted OR id = (SELECT id FROM payments"
    " WHERE merchant_id = :merchant_id AND operation_key = :operation_key"
    " ORDER BY created_at DESC, id DESC LIMIT 1)"
    " OR EXISTS (SELECT 1 FROM payments given WHERE given.debit_id = payments.id"
    " AND given.operation = :operation AND given.idempotency_key = CAST(:idempotency_key AS TEXT)))"
    " ORDER BY id"
)

#: In the order in which every transaction locks the attempts of a key.
_LOCK = Statement(_CAN_BE_MEANT + " {for_update}")

_RELATED_OPERATION: Final = (
    "SELECT id, operation, state, contradicted, terminal_address, guard_key, idempotency_key, debit_id,"
    " COALESCE(paid_cents, amount_cents) AS amount_cents FROM payments"
)

#: Under their lock: the debits as they are now, the newest first.
_DEBITS = Statement(
    _RELATED_OPERATION + " WHERE id {in_ids} ORDER BY (guard_key IS NOT NULL) DESC, created_at DESC, id DESC"
)

#: Under the debits' lock, by a statement of its own: their reversals and credits.
_FOLLOWERS = Statement(_RELATED_OPERATION + " WHERE debit_id {in_ids} ORDER BY created_at, id")


async def lock(
    tx: Transaction, merchant_id: str, debit_key: str, operation: Operation, idempotency_key: str | None
) -> list[str]:
    """Lock the debits of an order that an operation can mean; return their ids, none for an unknown order."""
    found = await tx.all(
        _LOCK,
        merchant_id=merchant_id,
        operation_key=debit_key,
        operation=operation.value,
        idempotency_key=idempotency_key,
    )
    return [row.id for row in found]


async def read(tx: Transaction, ids: Sequence[str]) -> list[KnownDebit]:
    """Return these debits, the newest first, each with its reversals and credits."""
    debits = await tx.all_of(_DEBITS, ids)
    followers = await tx.all_of(_FOLLOWERS, ids)
    return [
        KnownDebit(
            _related_operation(debit),
            tuple(_related_operation(row) for row in followers if row.debit_id == debit.id),
        )
        for debit in debits
    ]


def _related_operation(row: Row) -> RelatedOperation:
    return RelatedOperation(
        id=row.id,
        operation=Operation(row.operation),
        state=State(row.state),
        contradicted=bool(row.contradicted),
        terminal_address=row.terminal_address,
        amount_cents=row.amount_cents,
        guard_key=row.guard_key,
        idempotency_key=row.idempotency_key,
    )
