"""Replacement of the device at a terminal address: the old device's observed capabilities are reset."""

from dataclasses import dataclass

from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement

_ADDRESS = Statement("SELECT terminal_address FROM terminals WHERE merchant_id = :merchant_id AND id = :id")

_LOCK = Statement(
    "SELECT held_by, acquired_at FROM terminal_locks WHERE address = :terminal_address {for_update}"
)

_REPLACED = Statement(
    "UPDATE terminals SET replaced_at = {now}, changed_at = {now}"
    " WHERE merchant_id = :merchant_id AND id = :id"
)

#: `identifies = false` and `identify_first` stay until an identification is answered: resetting either for a
#: merchant could leave the terminal without payments, or send one to a terminal that shows another's amount.
_FORGET = Statement(
    "UPDATE terminal_locks SET echoes = '[]', identifies = CASE WHEN identifies THEN NULL ELSE identifies END"
    " WHERE address = :terminal_address"
)


@dataclass(frozen=True, slots=True)
class InUse:
    """A terminal whose lock is held by a payment or probe: nothing was changed."""

    held_by: str
    since: int


async def replace_device(database: Database, merchant_id: str, terminal_id: str) -> bool | InUse:
    """Reset the observed capabilities, since another device is at the address; False: no such entry.

    InUse while the terminal lock is held: the running session would store the old device's capabilities
    again.
    """

    async def work(tx: Transaction) -> bool | InUse:
        row = await tx.one(_ADDRESS, merchant_id=merchant_id, id=terminal_id)
        if row is None:
            return False
        lock = await tx.one(_LOCK, terminal_address=row.terminal_address)
        if lock is not None and lock.held_by is not None:
            return InUse(lock.held_by, lock.acquired_at)
        await tx.run(_FORGET, terminal_address=row.terminal_address)
        await tx.run(_REPLACED, merchant_id=merchant_id, id=terminal_id)
        return True

    return await database.write(work)
