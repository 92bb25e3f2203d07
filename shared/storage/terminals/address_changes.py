"""Changes of a terminal's address while the old address is locked, marked or waited for.

The device may still show an earlier amount, or work on it, so the new address is marked: its next session
begins
with an identification. The mark stays until one is answered. A terminal that does not answer identifications
is not marked, since a mark would leave it without payments.
"""

from typing import Final

from shared.storage.db.engine import Transaction
from shared.storage.db.statement import Statement
from shared.storage.terminals import locks

#: True if the device at the earlier address, `old`, may be busy with an earlier payment.
_MAY_BE_BUSY: Final = (
    "(old.held_by IS NOT NULL OR old.identify_first OR EXISTS (SELECT 1 FROM payments waiting"
    " WHERE waiting.terminal_address = old.address AND waiting.merchant_id = :merchant_id"
    " AND waiting.state = 'queued')) AND old.identifies IS NOT FALSE"
)

#: True for a host name, as in the index `payments_by_name`; false for a literal address.
_BY_NAME: Final = "substr(terminal_address, 1, length(host)) <> host"

#: Create the lock of a payment whose host is a name; mark it if the merchant's newest payment with this name
#: and
#: port had another address. One statement for every accepted payment.
_CREATE_BY_NAME = Statement(
    "INSERT INTO terminal_locks (address, identify_first)"
    " SELECT CAST(:terminal_address AS TEXT), moved FROM (SELECT EXISTS (SELECT 1 FROM"
    " (SELECT terminal_address FROM payments WHERE merchant_id = :merchant_id AND host = :host AND port ="
    " :port"
    f" AND {_BY_NAME} ORDER BY created_at DESC, id DESC LIMIT 1) newest"
    " JOIN terminal_locks old ON old.address = newest.terminal_address"
    f" WHERE newest.terminal_address <> :terminal_address AND {_MAY_BE_BUSY}) AS moved) seen"
    " WHERE moved OR NOT EXISTS (SELECT 1 FROM terminal_locks WHERE address = :terminal_address)"
    " ON CONFLICT (address) DO UPDATE SET identify_first = terminal_locks.identify_first OR"
    " excluded.identify_first"
)

#: The same for a registered terminal whose stored address is another one.
_MARK_NEW_ADDRESS = Statement(
    "INSERT INTO terminal_locks (address, identify_first) SELECT CAST(:terminal_address AS TEXT), true"
    " WHERE EXISTS"
    " (SELECT 1 FROM terminals JOIN terminal_locks old ON old.address = terminals.terminal_address"
    " WHERE terminals.merchant_id = :merchant_id AND terminals.id = :id AND terminals.terminal_address <>"
    " :terminal_address"
    f" AND {_MAY_BE_BUSY}) ON CONFLICT (address) DO UPDATE SET identify_first = true"
)


async def create_lock(
    tx: Transaction, *, merchant_id: str, host: str, port: int, terminal_address: str
) -> None:
    """Create the terminal lock of a new payment at its first use; mark it if its host's address changed."""
    if terminal_address.startswith(host):
        await locks.create(tx, terminal_address)  # a literal address does not change
    else:
        await tx.run(
            _CREATE_BY_NAME, merchant_id=merchant_id, host=host, port=port, terminal_address=terminal_address
        )


async def mark_new_address(
    tx: Transaction, *, merchant_id: str, terminal_id: str, terminal_address: str
) -> None:
    """Mark the new address of a registered terminal whose entry still has the earlier one."""
    await tx.run(
        _MARK_NEW_ADDRESS, merchant_id=merchant_id, id=terminal_id, terminal_address=terminal_address
    )
