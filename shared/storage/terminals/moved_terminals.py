"""Terminals that are reached at another address than before, while the earlier one is held or marked.

The device may still show an earlier amount, or work on it: the new address begins with an identification.
The mark stays with the address until one is answered, as any other. A terminal that is excused from
identifications has no mark to take along: it would be left without payments.
"""

from typing import Final

from shared.storage.db.engine import Transaction
from shared.storage.db.statement import Statement
from shared.storage.terminals import locks

#: Whether the device at the earlier address, `old`, may be busy with what was sent to it.
_MAY_BE_BUSY: Final = (
    "(old.held_by IS NOT NULL OR old.identify_first OR EXISTS (SELECT 1 FROM payments waiting"
    " WHERE waiting.terminal_address = old.address AND waiting.merchant_id = :merchant_id"
    " AND waiting.state = 'queued')) AND old.identifies IS NOT FALSE"
)

#: The host named a literal address, or a name that had one: `payments_by_name` has the latter only.
_BY_NAME: Final = "substr(terminal_address, 1, length(host)) <> host"

#: Make the line of a payment whose host is a name; where the newest payment of its merchant with this name
#: and port went elsewhere, mark it. One statement for every payment that is accepted.
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

#: The same where a registered terminal leads to another line than is stored.
_MARK_ENTRY = Statement(
    "INSERT INTO terminal_locks (address, identify_first) SELECT CAST(:terminal_address AS TEXT), true"
    " WHERE EXISTS"
    " (SELECT 1 FROM terminals JOIN terminal_locks old ON old.address = terminals.terminal_address"
    " WHERE terminals.merchant_id = :merchant_id AND terminals.id = :id AND terminals.terminal_address <>"
    " :terminal_address"
    f" AND {_MAY_BE_BUSY}) ON CONFLICT (address) DO UPDATE SET identify_first = true"
)


async def create_line(
    tx: Transaction, *, merchant_id: str, host: str, port: int, terminal_address: str
) -> None:
    """Make the line of a new payment at its first use, and mark it where its host's name led elsewhere."""
    if terminal_address.startswith(host):
        await locks.create(tx, terminal_address)  # a literal address leads nowhere else
    else:
        await tx.run(
            _CREATE_BY_NAME, merchant_id=merchant_id, host=host, port=port, terminal_address=terminal_address
        )


async def mark_entry(tx: Transaction, *, merchant_id: str, terminal_id: str, terminal_address: str) -> None:
    """Mark the line that a registered terminal is about to lead to; its entry still has the earlier one."""
    await tx.run(_MARK_ENTRY, merchant_id=merchant_id, id=terminal_id, terminal_address=terminal_address)
