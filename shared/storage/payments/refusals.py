"""Refusals of many debits at once, under overload: the ones that are safe to retry.

A refusal is safe to retry if its order has no earlier attempt, including one that is being stored at this
moment. As in `acceptance.find_earlier`, only the unique index waits for such an attempt: all refused debits
are inserted by one statement, and rolled back.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import text

from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement

#: Wait for another transaction that is storing one of the debits; past it none of them is safe to retry.
LOCK_WAIT_MS = 100

_ROWS = (
    "(SELECT r.id, r.merchant_id, r.operation_key FROM json_to_recordset(CAST(:refused AS json))"
    " AS r(id TEXT, merchant_id TEXT, operation_key TEXT))"
)

#: Sorted, as in every transaction that takes several locks.
_INSERT = Statement(
    "INSERT INTO payments (id, merchant_id, order_id, operation, operation_key, guard_key, state,"
    " amount_cents, currency, protocol, force_authorization, host, port, pos_number, profile, request,"
    " created_at, deadline_at, published_at)"
    " SELECT r.id, r.merchant_id, '', 'debit', r.operation_key, r.operation_key,"
    f" 'queued', 0, '', '', false, '', 0, '', '', '', 0, 0, 0 FROM {_ROWS} r"
    " ORDER BY r.merchant_id, r.operation_key ON CONFLICT DO NOTHING RETURNING id"
)

#: Debits whose order is locked for review: no attempt of it is safe.
_LOCKED = Statement(
    f"SELECT r.id FROM {_ROWS} r JOIN payments p ON p.merchant_id = r.merchant_id"
    " AND p.operation_key = r.operation_key AND p.key_closed"
)

#: On SQLite a writer has the database to itself: a read is enough.
_KNOWN = Statement(
    "SELECT json_extract(value, '$.id') AS id FROM json_each(:refused) JOIN payments p"
    " ON p.merchant_id = json_extract(value, '$.merchant_id')"
    " AND p.operation_key = json_extract(value, '$.operation_key')"
    " AND (p.guard_key IS NOT NULL OR p.key_closed)"
)


@dataclass(frozen=True, slots=True)
class Refused:
    """A refused debit; `id` is new, `operation_key` as in `order_guard`."""

    id: str
    merchant_id: str
    operation_key: str


class _RolledBack(Exception):
    """Raised to roll back the inserts; carries their result."""

    def __init__(self, ids: Collection[str]) -> None:
        self.ids = ids


async def safe_to_retry(database: Database, refused: Sequence[Refused]) -> set[str]:
    """Return the ids of the debits whose orders have no attempt that blocks new ones and no lock for review.

    Of two debits of one order in one call, at most one is safe. Raises DatabaseUnavailable.
    """
    rows = json.dumps([asdict(one) for one in refused])
    if database.dialect == "sqlite":
        known = await database.write(lambda tx: tx.all(_KNOWN, refused=rows))
        first = {(one.merchant_id, one.operation_key): one.id for one in reversed(refused)}
        return set(first.values()) - {row.id for row in known}

    async def insert_and_roll_back(tx: Transaction) -> None:
        await tx.connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}"))
        inserted = await tx.all(_INSERT, refused=rows)
        locked = await tx.all(_LOCKED, refused=rows)
        raise _RolledBack({row.id for row in inserted} - {row.id for row in locked})

    try:
        await database.write(insert_and_roll_back)
    except _RolledBack as done:
        return set(done.ids)
    raise AssertionError("it is always rolled back")
