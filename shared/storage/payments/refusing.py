"""Debits that are refused for want of room, many at once: which of them certainly have no earlier attempt.

Whoever is told 'safe to retry' must have none, one that is being stored at this moment included. As in
`accepting.find_earlier` only the unique index waits for such a one: the refused are inserted, all by one
statement, and rolled back.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import text

from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement

#: How long the statement waits for somebody who is storing one of these; then none of them is certain.
LOCK_WAIT_MS = 100

_ROWS = (
    "(SELECT r.id, r.merchant_id, r.operation_key FROM json_to_recordset(CAST(:refused AS json))"
    " AS r(id TEXT, merchant_id TEXT, operation_key TEXT))"
)

#: Sorted, as everybody who takes several locks does.
_INSERT = Statement(
    "INSERT INTO payments (id, merchant_id, order_id, operation, operation_key, guard_key, state,"
    " amount_cents, currency, protocol, force_authorization, host, port, pos_number, profile, request,"
    " created_at, deadline_at, published_at)"
    " SELECT r.id, r.merchant_id, '', 'debit', r.operation_key, r.operation_key,"
    f" 'queued', 0, '', '', false, '', 0, '', '', '', 0, 0, 0 FROM {_ROWS} r"
    " ORDER BY r.merchant_id, r.operation_key ON CONFLICT DO NOTHING RETURNING id"
)

#: Those whose order has a closed key: no attempt of it is ever safe.
_CLOSED = Statement(
    f"SELECT r.id FROM {_ROWS} r JOIN payments p ON p.merchant_id = r.merchant_id"
    " AND p.operation_key = r.operation_key AND p.key_closed"
)

#: On SQLite a writer has the database to itself: a look is enough.
_KNOWN = Statement(
    "SELECT json_extract(value, '$.id') AS id FROM json_each(:refused) JOIN payments p"
    " ON p.merchant_id = json_extract(value, '$.merchant_id')"
    " AND p.operation_key = json_extract(value, '$.operation_key')"
    " AND (p.guard_key IS NOT NULL OR p.key_closed)"
)


@dataclass(frozen=True, slots=True)
class Refused:
    """A debit that is not to be stored. `id` is new; `operation_key` as in `order_guard`."""

    id: str
    merchant_id: str
    operation_key: str


class _RolledBack(Exception):
    def __init__(self, ids: Collection[str]) -> None:
        self.ids = ids


async def without_earlier(database: Database, refused: Sequence[Refused]) -> set[str]:
    """Return the ids of those whose orders certainly have no attempt that counts, and no closed key.

    Two of one order in one call: one of them at most is certain. Raises DatabaseUnavailable.
    """
    rows = json.dumps(
        [
            {"id": one.id, "merchant_id": one.merchant_id, "operation_key": one.operation_key}
            for one in refused
        ]
    )
    if database.dialect == "sqlite":
        known = await database.write(lambda tx: tx.all(_KNOWN, refused=rows))
        first = {(one.merchant_id, one.operation_key): one.id for one in reversed(refused)}
        return set(first.values()) - {row.id for row in known}

    async def insert_and_roll_back(tx: Transaction) -> None:
        await tx.connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}"))
        inserted = await tx.all(_INSERT, refused=rows)
        closed = await tx.all(_CLOSED, refused=rows)
        raise _RolledBack({row.id for row in inserted} - {row.id for row in closed})

    try:
        await database.write(insert_and_roll_back)
    except _RolledBack as done:
        return set(done.ids)
    raise AssertionError("it is always rolled back")
