"""Idempotency keys: a merchant's key names one operation for ever, and a terminal once money may have moved.

A key's row is unique: of two requests at once with one key, the later one waits inside the database and reads
the bound operation by its next statement. Binding is the last statement of its transaction that can wait, so
that two transactions never wait for each other.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass

from shared.payment.payment import Operation, Payment
from shared.storage.db.engine import Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments.rows import payment_of

_NAMED = Statement(
    "SELECT order_id, operation, amount_cents, currency FROM idempotency_keys"
    " WHERE merchant_id = :merchant_id AND key = :key"
)

_BIND = Statement(
    "INSERT INTO idempotency_keys"
    " (merchant_id, key, order_id, operation, amount_cents, currency, created_at)"
    " VALUES (:merchant_id, :key, :order_id, :operation, :amount_cents, :currency, {now})"
    " ON CONFLICT (merchant_id, key) DO NOTHING RETURNING key"
)

#: Attempts with a key that did not end safe to retry.
_NOT_SAFE = Statement(
    "SELECT {payment} FROM payments WHERE merchant_id = :merchant_id AND order_id = :order_id"
    " AND operation = :operation AND idempotency_key = :key"
    " AND (contradicted OR state IN ('queued', 'in_session', 'in_doubt', 'succeeded')) ORDER BY id"
)

#: The newest attempt of the operation that a key names; attempts made with the key come first.
_ATTEMPT = Statement(
    "SELECT {payment} FROM payments WHERE (merchant_id, order_id, operation) ="
    " (SELECT merchant_id, order_id, operation FROM idempotency_keys"
    " WHERE merchant_id = :merchant_id AND key = :key)"
    " ORDER BY CASE WHEN idempotency_key = :key THEN 0 ELSE 1 END, created_at DESC, id DESC LIMIT 1"
)


class KeyUsed(Exception):
    """Raised when a key names another operation."""


@dataclass(frozen=True, slots=True)
class NamedOperation:
    """An operation with the key that names it; equal requests are equal in every field."""

    merchant_id: str
    key: str
    order_id: str
    operation: Operation
    amount_cents: int
    currency: str


async def is_bound(tx: Transaction, named: NamedOperation) -> bool:
    """Return True if the key names this operation; raise KeyUsed where it names another one."""
    row = await tx.one(_NAMED, merchant_id=named.merchant_id, key=named.key)
    if row is None:
        return False
    if tuple(row) != (named.order_id, named.operation.value, named.amount_cents, named.currency):
        raise KeyUsed
    return True


async def check_terminal(
    tx: Transaction, named: NamedOperation, is_same_terminal: Callable[[Payment], bool]
) -> None:
    """Raise KeyUsed where an attempt with the key may have moved money on another terminal."""
    attempts = await tx.all(
        _NOT_SAFE,
        merchant_id=named.merchant_id,
        order_id=named.order_id,
        operation=named.operation.value,
        key=named.key,
    )
    if not all(is_same_terminal(payment_of(row)) for row in attempts):
        raise KeyUsed


async def bind(tx: Transaction, named: NamedOperation) -> None:
    """Bind the key to this operation; raise KeyUsed where it names another one."""
    if await tx.one(_BIND, **{**asdict(named), "operation": named.operation.value}) is None:
        await is_bound(tx, named)


async def attempt(tx: Transaction, named: NamedOperation) -> Payment:
    """Return the newest attempt of the operation that the key is bound to."""
    row = await tx.one(_ATTEMPT, merchant_id=named.merchant_id, key=named.key)
    assert row is not None, "a key is bound in the transaction of its payment"
    return payment_of(row)
