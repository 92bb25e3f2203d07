"""The ages that show whether the purge works: of its last end, and of the oldest payment that is kept."""

from dataclasses import dataclass

from shared.storage.db.engine import Database
from shared.storage.db.statement import Statement
from shared.storage.retention.run import TASK

#: The oldest payment stands at an index' end; the condition says so to SQLite, too.
_AGES = Statement(
    "SELECT {now} - (SELECT COALESCE(ended_at, started_at) FROM tasks WHERE name = :name) AS purged_ms,"
    " {now} - (SELECT created_at FROM payments WHERE created_at >= 0"
    " ORDER BY created_at, id LIMIT 1) AS oldest_ms"
)


@dataclass(frozen=True, slots=True)
class RetentionAges:
    """Seconds since the last purge ended, and since the oldest payment was created; 0: there is none."""

    purged_seconds: float
    oldest_payment_seconds: float


async def retention_ages(database: Database) -> RetentionAges:
    """Return the ages by the database's clock. Raises DatabaseUnavailable."""
    row = await database.read(lambda tx: tx.one(_AGES, name=TASK))
    assert row is not None, "the time is one row"
    return RetentionAges(max(0, row.purged_ms or 0) / 1000, max(0, row.oldest_ms or 0) / 1000)
