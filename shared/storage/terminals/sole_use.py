"""Sole use of a terminal address: an operator confirms that no other merchant may use it."""

from shared.storage.administration import audit_trail
from shared.storage.administration.audit_trail import Action, Actor
from shared.storage.db.engine import Database, Row, Transaction, UniqueViolation
from shared.storage.db.statement import Statement
from shared.storage.terminals import locks
from shared.storage.terminals.registry import AddressTaken

_ADDRESS = Statement(
    "SELECT id, terminal_address FROM terminals WHERE merchant_id = :merchant_id AND id = :id"
)

_CONFIRM = Statement(
    "UPDATE terminals SET sole_use_confirmed_at = {now}, sole_use_confirmed_by = :by"
    " WHERE merchant_id = :merchant_id AND id = :id AND sole_use_requested_at IS NOT NULL"
    " AND sole_use_confirmed_at IS NULL RETURNING id"
)
_WITHDRAW = Statement(
    "UPDATE terminals SET sole_use_confirmed_at = NULL, sole_use_confirmed_by = NULL"
    " WHERE merchant_id = :merchant_id AND id = :id AND sole_use_confirmed_at IS NOT NULL RETURNING id"
)


async def confirm(database: Database, merchant_id: str, terminal_id: str, *, actor: Actor) -> bool:
    """Confirm the sole use that the merchant requested; False: it was not requested, or is confirmed already.

    From now on other merchants' payments to the address are refused. Raises AddressTaken where another
    merchant has sole use of it.
    """

    async def work(tx: Transaction) -> bool:
        row = await tx.one(_ADDRESS, merchant_id=merchant_id, id=terminal_id)
        if row is None:
            return False
        await locks.create(tx, row.terminal_address)
        if await tx.one(_CONFIRM, merchant_id=merchant_id, id=terminal_id, by=actor.by) is None:
            return False
        await _record(tx, actor, Action.SOLE_USE_CONFIRMED, merchant_id, row)
        return True

    try:
        return await database.write(work)
    except UniqueViolation as error:
        raise AddressTaken(terminal_id) from error


async def withdraw(database: Database, merchant_id: str, terminal_id: str, *, actor: Actor) -> bool:
    """Withdraw a confirmation; False: there is no such entry. The merchant's request stays."""

    async def work(tx: Transaction) -> bool:
        row = await tx.one(_ADDRESS, merchant_id=merchant_id, id=terminal_id)
        if row is None:
            return False
        if await tx.one(_WITHDRAW, merchant_id=merchant_id, id=terminal_id) is not None:
            await _record(tx, actor, Action.SOLE_USE_WITHDRAWN, merchant_id, row)
        return True

    return await database.write(work)


async def _record(tx: Transaction, actor: Actor, action: Action, merchant_id: str, row: Row) -> None:
    detail = {"terminal_id": row.id, "terminal_address": row.terminal_address}
    await audit_trail.record(tx, actor, action, merchant_id, detail=detail)
