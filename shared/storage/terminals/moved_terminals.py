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
    " WHERE waiting.line = old.address AND waiting.merchant_id = :merchant_id"
    " AND waiting.state = 'queued')) AND old.identifies IS NOT FALSE"
)

#: The host named a literal address, or a name that had one: `payments_by_name` has the latter only.
_BY_NAME: Final = "substr(line, 1, length(host)) <> host"

#: Make the line of a payment whose host is a name; where the newest payment of its merchant with this name
#: and port went elsewhere, mark it. One statement for every payment that is accepted.
_CREATE_BY_NAME = Statement(
    "INSERT INTO lines (address, identify_first)"
    " SELECT CAST(:line AS TEXT), moved FROM (SELECT EXISTS (SELECT 1 FROM"
    " (SELECT line FROM payments WHERE merchant_id = :merchant_id AND host = :host AND port = :port"
    f" AND {_BY_NAME} ORDER BY created_at DESC, id DESC LIMIT 1) newest"
    " JOIN lines old ON old.address = newest.line"
    f" WHERE newest.line <> :line AND {_MAY_BE_BUSY}) AS moved) seen"
    " WHERE moved OR NOT EXISTS (SELECT 1 FROM lines WHERE address = :line)"
    " ON CONFLICT (address) DO UPDATE SET identify_first = lines.identify_first OR excluded.identify_first"
)

#: The same where a registered terminal leads to another line than is stored.
_MARK_ENTRY = Statement(
    "INSERT INTO lines (address, identify_first) SELECT CAST(:line AS TEXT), true WHERE EXISTS"
    " (SELECT 1 FROM terminals JOIN lines old ON old.address = terminals.line"
    " WHERE terminals.merchant_id = :merchant_id AND terminals.id = :id AND terminals.line <> :line"
    f" AND {_MAY_BE_BUSY}) ON CONFLICT (address) DO UPDATE SET identify_first = true"
)


async def create_line(tx: Transaction, *, merchant_id: str, host: str, port: int, line: str) -> None:
    """Make the line of a new payment at its first use, and mark it where its host's name led elsewhere."""
    if line.startswith(host):
        await locks.create(tx, line)  # a literal address leads nowhere else
    else:
        await tx.run(_CREATE_BY_NAME, merchant_id=merchant_id, host=host, port=port, line=line)


async def mark_entry(tx: Transaction, *, merchant_id: str, terminal_id: str, line: str) -> None:
    """Mark the line that a registered terminal is about to lead to; its entry still has the earlier one."""
    await tx.run(_MARK_ENTRY, merchant_id=merchant_id, id=terminal_id, line=line)
