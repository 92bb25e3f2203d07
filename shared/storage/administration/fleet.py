"""Terminals of all merchants with their locks and success rates, and the locks that workers hold now."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement

#: A terminal's success rate is of so many newest payments.
RATED_PAYMENTS: Final = 50
HELD_AT_MOST: Final = 200

_SELECT: Final = (
    "SELECT t.merchant_id, t.id, t.label, t.shop, t.terminal_address, t.disabled_at, l.held_by, l.worker,"
    " l.acquired_at, l.answered_at, l.identify_first,"
    " (SELECT r.result FROM probes r WHERE r.merchant_id = t.merchant_id AND r.terminal_id = t.id"
    " AND r.result IS NOT NULL ORDER BY r.created_at DESC LIMIT 1) AS probed"
    " FROM terminals t LEFT JOIN terminal_locks l ON l.address = t.terminal_address"
)
#: What a terminal ended: in doubt and refused by us are no failures of it.
_RATE = Statement(
    "SELECT COUNT(*) AS number,"
    " COALESCE(SUM(CASE WHEN state = 'succeeded' THEN 1 ELSE 0 END), 0) AS succeeded"
    " FROM (SELECT state FROM payments WHERE terminal_address = :address AND state IN"
    " ('succeeded', 'refused', 'aborted', 'unreachable', 'in_doubt')"
    f" ORDER BY created_at DESC, id DESC LIMIT {RATED_PAYMENTS}) newest"
)
#: The longest held first.
_HELD = Statement(
    "SELECT l.address, l.held_by, l.worker, l.acquired_at, {now} - l.acquired_at AS held_ms, l.identify_first"
    " FROM terminal_locks l WHERE l.held_by IS NOT NULL ORDER BY l.acquired_at LIMIT :most"
)


@dataclass(frozen=True, slots=True)
class TerminalState:
    """A registered terminal and its lock; times are milliseconds since 1970 UTC."""

    merchant_id: str
    id: str
    label: str
    shop: str
    terminal_address: str
    disabled_at: int | None
    #: Payment or probe that holds the lock, its worker, and since when.
    held_by: str | None
    worker: str | None
    acquired_at: int | None
    answered_at: int | None
    identify_first: bool
    #: The result of the last probe.
    probed: str | None
    #: Payments that the rate is of, and those that succeeded.
    rated: int
    succeeded: int


@dataclass(frozen=True, slots=True)
class HeldLock:
    """A terminal lock that a worker holds."""

    address: str
    held_by: str
    worker: str | None
    held_ms: int
    identify_first: bool


async def terminals(
    database: Database, *, merchant_id: str | None, after: tuple[str, str] | None, limit: int
) -> tuple[list[TerminalState], tuple[str, str] | None]:
    """Return terminals by merchant and id, and the last one's where more follow."""
    given: dict[str, object] = {}
    if merchant_id is not None:
        given["merchant_id"] = merchant_id
    if after is not None:
        given |= {"after_merchant": after[0], "after_id": after[1]}
    statement = _list_statement(merchant_id is not None, after is not None)

    async def look(tx: Transaction) -> list[TerminalState]:
        rows = await tx.all(statement, most=limit + 1, **given)
        return [await _rated(tx, dict(row._mapping)) for row in rows]

    found = await database.read(look)
    last = found[limit - 1] if len(found) > limit else None
    return found[:limit], None if last is None else (last.merchant_id, last.id)


async def held_locks(database: Database) -> Sequence[HeldLock]:
    """Return the locks that are held, the longest first."""
    rows = await database.read(lambda tx: tx.all(_HELD, most=HELD_AT_MOST))
    return [
        HeldLock(row.address, row.held_by, row.worker, row.held_ms or 0, bool(row.identify_first))
        for row in rows
    ]


async def _rated(tx: Transaction, row: dict[str, Any]) -> TerminalState:
    rate = await tx.one(_RATE, address=row["terminal_address"])
    assert rate is not None
    row["identify_first"] = bool(row["identify_first"])
    return TerminalState(**row, rated=int(rate.number), succeeded=int(rate.succeeded))


@cache
def _list_statement(of_merchant: bool, goes_on: bool) -> Statement:
    conditions = (["t.merchant_id = :merchant_id"] if of_merchant else []) + (
        ["(t.merchant_id, t.id) > (:after_merchant, :after_id)"] if goes_on else []
    )
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return Statement(f"{_SELECT}{where} ORDER BY t.merchant_id, t.id LIMIT :most")
