"""Statements on `lines`, the mutex of each terminal. They run inside the transactions of other concerns.

Locks are taken in the order line, debit, payment: these come first.
"""

from dataclasses import dataclass

from shared.storage.engine import Transaction
from shared.storage.statement import Statement

#: Make the line of an address at its first use.
#: ON CONFLICT alone would wait for a transaction that is writing to an existing row.
_CREATE = Statement(
    "INSERT INTO lines (address) SELECT CAST(:address AS TEXT)"
    " WHERE NOT EXISTS (SELECT 1 FROM lines WHERE address = :address) ON CONFLICT (address) DO NOTHING"
)

#: Take the line of a payment if nobody holds it. Whether it is held is learned from this statement only.
_TAKE = Statement(
    "UPDATE lines SET held_by = :payment_id, worker = :worker, epoch = epoch + 1, claim = :token,"
    " taken_at = {now}, hold_until = {now} + :hold_ms"
    " WHERE address = (SELECT line FROM payments WHERE id = :payment_id) AND held_by IS NULL"
    " RETURNING address, epoch, echoes"
)

#: Give the line back; only by the run that took it, and not twice.
_RELEASE = Statement(
    "UPDATE lines SET held_by = NULL, worker = NULL, claim = NULL, taken_at = NULL, hold_until = NULL,"
    " epoch = epoch + 1, echoes = COALESCE(CAST(:echoes AS TEXT), echoes),"
    " answered_at = CASE WHEN CAST(:echoes AS TEXT) IS NULL THEN answered_at ELSE {now} END"
    " WHERE address = :address AND epoch = :epoch AND claim = :token RETURNING address"
)

#: Who holds the line of a payment, under the line's lock.
_LOCK_OF_PAYMENT = Statement(
    "SELECT held_by, taken_at FROM lines WHERE address = (SELECT line FROM payments WHERE id = :payment_id)"
    " {for_update}"
)

#: Whether a run's claim was committed; read after the line's row was locked.
_TAKEN_WITH = Statement(
    "SELECT address, epoch, echoes FROM lines WHERE held_by = :payment_id AND claim = :token"
)


@dataclass(frozen=True, slots=True)
class Taking:
    """One taking of a line: every later write of the run names all of it."""

    address: str
    epoch: int
    token: str
    payment_id: str
    #: JSON list of the echoed tags of the line's last three complete answers, as read at the taking.
    echoes: str


async def create(tx: Transaction, address: str) -> None:
    await tx.run(_CREATE, address=address)


async def take(
    tx: Transaction, payment_id: str, *, worker: str, token: str, hold_seconds: float
) -> Taking | None:
    """Take the payment's line for this run; None: it is held."""
    row = await tx.one(
        _TAKE, payment_id=payment_id, worker=worker, token=token, hold_ms=int(hold_seconds * 1000)
    )
    return None if row is None else Taking(row.address, row.epoch, token, payment_id, row.echoes)


async def taken_with(tx: Transaction, payment_id: str, token: str) -> Taking | None:
    """Return the taking that this run's token is in, where its commit was carried out."""
    row = await tx.one(_TAKEN_WITH, payment_id=payment_id, token=token)
    return None if row is None else Taking(row.address, row.epoch, token, payment_id, row.echoes)


async def release(tx: Transaction, taking: Taking, echoes: str | None = None) -> bool:
    """Free the line, with what its last answer echoed; False: it is no longer this run's."""
    row = await tx.one(
        _RELEASE, address=taking.address, epoch=taking.epoch, token=taking.token, echoes=echoes
    )
    return row is not None


async def lock_of_payment(tx: Transaction, payment_id: str) -> tuple[str | None, int | None]:
    """Lock the payment's line; return who holds it and since when (milliseconds)."""
    row = await tx.one(_LOCK_OF_PAYMENT, payment_id=payment_id)
    return (None, None) if row is None else (row.held_by, row.taken_at)
