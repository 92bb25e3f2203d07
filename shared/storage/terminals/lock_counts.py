"""Counts of held terminal locks, for metrics."""

from dataclasses import dataclass
from typing import Final

from shared.storage.db.engine import Database
from shared.storage.db.statement import Statement

#: Beyond the end of a lease its worker needs some heartbeats to release the lock.
OVERDUE_MS: Final = 60_000

_HELD = Statement(
    "SELECT CASE WHEN p.id IS NULL THEN 'probe' WHEN p.state IN ('in_session', 'in_doubt') THEN p.state"
    " ELSE 'ended' END AS holder, count(*) AS number,"
    " sum(CASE WHEN l.lease_until + :overdue_ms <= {now} THEN 1 ELSE 0 END) AS overdue"
    " FROM terminal_locks l LEFT JOIN payments p ON p.id = l.held_by WHERE l.held_by IS NOT NULL GROUP BY 1"
)


@dataclass(frozen=True, slots=True)
class HeldLocks:
    """The held terminal locks of the whole installation."""

    #: `in_session`, `in_doubt`, `probe` or `ended`.
    by_holder: dict[str, int]
    #: Those that are held for a minute beyond the end of their lease.
    overdue: int


async def held_counts(database: Database) -> HeldLocks:
    """Count the held locks. Raises DatabaseUnavailable."""
    rows = await database.read(lambda tx: tx.all(_HELD, overdue_ms=OVERDUE_MS))
    return HeldLocks({row.holder: row.number for row in rows}, sum(int(row.overdue) for row in rows))
