"""Statements on `terminal_locks`, the mutex of each terminal. They run inside the transactions of other
concerns.

Locks are taken in the order line, debit, payment: these come first.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from shared.storage.db.engine import Transaction
from shared.storage.db.statement import Statement

#: Make the line of an address at its first use.
#: ON CONFLICT alone would wait for a transaction that is writing to an existing row.
_CREATE = Statement(
    "INSERT INTO terminal_locks (address) SELECT CAST(:address AS TEXT)"
    " WHERE NOT EXISTS (SELECT 1 FROM terminal_locks WHERE address = :address) ON CONFLICT (address) DO"
    " NOTHING"
)

#: Take the line of a payment if nobody holds it. Whether it is held is learned from this statement only.
_TAKE = Statement(
    "UPDATE terminal_locks SET held_by = :payment_id, worker = :worker, epoch = epoch + 1, claim = :token,"
    " taken_at = {now}, lease_until = {now} + :lease_ms"
    " WHERE address = (SELECT terminal_address FROM payments WHERE id = :payment_id) AND held_by IS NULL"
    " RETURNING address, epoch, echoes, identifies, identify_first"
)

#: Give the line back, with what was learned of it; only by the run that took it, and not twice.
_RELEASE = Statement(
    "UPDATE terminal_locks SET held_by = NULL, worker = NULL, claim = NULL, taken_at = NULL, lease_until ="
    " NULL,"
    " release_for = NULL, release_by = NULL, release_asked_at = NULL, epoch = epoch + 1, {observed}"
    " WHERE address = :address AND epoch = :epoch AND claim = :token RETURNING address"
)

#: Keep the line a little longer, with what its terminal's answer taught.
_KEEP = Statement(
    "UPDATE terminal_locks SET {observed} WHERE address = :address AND epoch = :epoch AND claim = :token"
    " RETURNING address"
)

#: Who holds the line of a payment, under the line's lock.
_LOCK_OF_PAYMENT = Statement(
    "SELECT held_by, taken_at FROM terminal_locks WHERE address = (SELECT terminal_address FROM payments"
    " WHERE id = :payment_id)"
    " {for_update}"
)

#: Whether a run's claim was committed; read after the line's row was locked.
_GRANTED_WITH = Statement(
    "SELECT address, epoch, echoes, identifies, identify_first FROM terminal_locks"
    " WHERE held_by = :payment_id AND claim = :token"
)

#: An amount may be shown there that nobody holds the line for.
_MARK_OF_PAYMENT = Statement(
    "UPDATE terminal_locks SET identify_first = true"
    " WHERE address = (SELECT terminal_address FROM payments WHERE id = :payment_id AND state = :state)"
)

_IS_MINE = Statement(
    "SELECT address FROM terminal_locks WHERE address = :address AND epoch = :epoch AND claim = :token"
)


@dataclass(frozen=True, slots=True)
class LockGrant:
    """One taking of a line: every later write of the run names all of it."""

    address: str
    epoch: int
    token: str
    payment_id: str
    #: JSON list of the echoed tags of the line's last three complete answers, as read at the taking.
    echoes: str
    #: Whether the terminal answers identifications; None: it was never asked.
    identifies: bool | None = None
    #: The session has to begin with an answered identification.
    identify_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedCapabilities:
    """What a session taught of its line; None leaves what is stored."""

    #: JSON, see `Taking.echoes`; set after a complete answer.
    echoes: str | None = None
    identifies: bool | None = None
    identify_first: bool | None = None


async def create(tx: Transaction, address: str) -> None:
    await tx.run(_CREATE, address=address)


async def acquire(
    tx: Transaction, payment_id: str, *, worker: str, token: str, lease_seconds: float
) -> LockGrant | None:
    """Take the payment's line for this run; None: it is held."""
    row = await tx.one(
        _TAKE, payment_id=payment_id, worker=worker, token=token, lease_ms=int(lease_seconds * 1000)
    )
    return None if row is None else grant_of(row, token, payment_id)


def grant_of(row: Row[Any], token: str, payment_id: str) -> LockGrant:
    """Return the taking of a row with address, epoch and what is known of the terminal."""
    identifies = None if row.identifies is None else bool(row.identifies)
    return LockGrant(
        row.address, row.epoch, token, payment_id, row.echoes, identifies, bool(row.identify_first)
    )


async def granted_with(tx: Transaction, payment_id: str, token: str) -> LockGrant | None:
    """Return the taking that this run's token is in, where its commit was carried out."""
    row = await tx.one(_GRANTED_WITH, payment_id=payment_id, token=token)
    return None if row is None else grant_of(row, token, payment_id)


async def release(tx: Transaction, grant: LockGrant, observed: ObservedCapabilities | None = None) -> bool:
    """Free the line, with what was learned of it; False: it is no longer this run's."""
    return await _write_as_holder(tx, _RELEASE, grant, observed or ObservedCapabilities())


async def keep(tx: Transaction, grant: LockGrant, observed: ObservedCapabilities) -> bool:
    """Hold the line on, with what was learned of it; False: it is no longer this run's."""
    return await _write_as_holder(tx, _KEEP, grant, observed)


async def _write_as_holder(
    tx: Transaction, statement: Statement, grant: LockGrant, observed: ObservedCapabilities
) -> bool:
    row = await tx.one(
        statement,
        address=grant.address,
        epoch=grant.epoch,
        token=grant.token,
        echoes=observed.echoes,
        identifies=observed.identifies,
        identify_first=observed.identify_first,
    )
    return row is not None


async def is_mine(tx: Transaction, grant: LockGrant) -> bool:
    """Whether the line is still this run's."""
    row = await tx.one(_IS_MINE, address=grant.address, epoch=grant.epoch, token=grant.token)
    return row is not None


async def mark_of_payment(tx: Transaction, payment_id: str, state: str) -> None:
    """Let the next session on the line of a payment in this state begin with an identification."""
    await tx.run(_MARK_OF_PAYMENT, payment_id=payment_id, state=state)


async def lock_of_payment(tx: Transaction, payment_id: str) -> tuple[str | None, int | None]:
    """Lock the payment's line; return who holds it and since when (milliseconds)."""
    row = await tx.one(_LOCK_OF_PAYMENT, payment_id=payment_id)
    return (None, None) if row is None else (row.held_by, row.taken_at)
