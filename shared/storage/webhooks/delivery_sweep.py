"""The sweep of deliveries: repeated publications, the end of those of disabled endpoints, and counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.notification.kinds import HIPAY, MERCHANT
from shared.storage.db.engine import Database
from shared.storage.db.statement import NOW_ONCE, Statement

#: The sweep's message is repeated after 10 s, 20 s and then every 40 s: a worker that died may have had it.
REPUBLISH_MS: Final = 10_000

#: Rows that are ended in one transaction.
ENDED_AT_ONCE: Final = 1000

#: The targets that deliveries wait for, and a null at the end: one search of the index for each, however many
#: deliveries wait and however many endpoints there are.
_WITH_TARGETS: Final = (
    "WITH RECURSIVE targets(id) AS (SELECT MIN(target) FROM deliveries WHERE state = 'waiting'"
    " UNION ALL SELECT (SELECT MIN(d.target) FROM deliveries d WHERE d.state = 'waiting'"
    " AND d.target > targets.id) FROM targets WHERE targets.id IS NOT NULL)"
)

#: Deliveries that wait for disabled endpoints, and are not being sent.
_END_OF_DISABLED = Statement(
    f"{_WITH_TARGETS}, chosen AS MATERIALIZED (SELECT d.id AS chosen_id FROM"
    " deliveries d WHERE d.state = 'waiting'"
    " AND d.target IN (SELECT w.id FROM targets w WHERE EXISTS (SELECT 1 FROM webhook_endpoints e"
    " WHERE e.id = w.id AND e.disabled_at IS NOT NULL LIMIT 1 OFFSET 0))"
    f" AND (d.leased_until IS NULL OR d.leased_until <= {NOW_ONCE}) LIMIT :most {{skip_locked}})"
    " UPDATE deliveries SET state = 'dead', reason = 'endpoint_disabled', leased_until = NULL,"
    " lease = lease + 1, ended_at = {now} FROM chosen WHERE deliveries.id = chosen.chosen_id RETURNING id"
)

#: Deliveries that may be sent now that an earlier one of their payment had its first attempt.
_NEXT_OF_PAYMENTS = Statement(
    "SELECT id, target FROM deliveries WHERE payment_id {in_ids} AND kind = :kind AND state = 'waiting'"
    " AND tried_at IS NULL AND due_at <= {now} AND leased_until IS NULL ORDER BY sequence"
)

#: Targets that are not paused and have deliveries to publish.
_DUE: Final = (
    f" AND NOT EXISTS (SELECT 1 FROM delivery_targets t WHERE t.id = w.id AND t.paused_until > {NOW_ONCE})"
    " AND EXISTS (SELECT 1 FROM deliveries d WHERE d.target = w.id AND d.state = 'waiting'"
    f" AND d.publish_at <= {NOW_ONCE} AND (d.leased_until IS NULL OR d.leased_until <= {NOW_ONCE})"
    " LIMIT 1 OFFSET 0)"
)
_DUE_TARGETS = Statement(
    f"{_WITH_TARGETS} SELECT CASE w.id WHEN '{HIPAY}' THEN '{HIPAY}' ELSE '{MERCHANT}' END AS kind, w.id"
    f" FROM targets w WHERE (w.id = '{HIPAY}' OR EXISTS (SELECT 1 FROM webhook_endpoints e"
    " WHERE e.id = w.id AND e.disabled_at IS NULL LIMIT 1 OFFSET 0))" + _DUE
)
_PUBLISH = Statement(
    "WITH chosen AS MATERIALIZED (SELECT d.id AS chosen_id FROM deliveries d WHERE d.target = :target"
    f" AND d.state = 'waiting' AND d.publish_at <= {NOW_ONCE}"
    f" AND (d.leased_until IS NULL OR d.leased_until <= {NOW_ONCE}) ORDER BY d.publish_at LIMIT :most"
    " {skip_locked})"
    f" UPDATE deliveries SET publish_at = {NOW_ONCE} + :pause_ms *"
    " (1 << CASE WHEN publish_count > 2 THEN 2 ELSE publish_count END), publish_count = publish_count + 1"
    " FROM chosen WHERE deliveries.id = chosen.chosen_id RETURNING id"
)
#: Undo of `_PUBLISH` for deliveries that were not published: only published ones are spaced out.
_NOT_PUBLISHED = Statement(
    "UPDATE deliveries SET publish_at = {now}, publish_count = publish_count - 1 WHERE id {in_ids}"
    " AND state = 'waiting' AND publish_count > 0 AND (leased_until IS NULL OR leased_until <= {now})"
    " RETURNING id"
)

#: A delivery is overdue where it is due, nobody sends it and its target is not paused.
_WAITING = Statement(
    "SELECT d.kind, COUNT(*) AS number, {now} - MIN(d.since_at) AS oldest_ms,"
    " {now} - MIN(CASE WHEN (d.leased_until IS NULL OR d.leased_until <= {now})"
    " AND (t.paused_until IS NULL OR t.paused_until <= {now}) THEN d.due_at END) AS overdue_ms"
    " FROM deliveries d LEFT JOIN delivery_targets t ON t.id = d.target WHERE d.state = 'waiting'"
    " GROUP BY d.kind"
)
_PAUSED = Statement("SELECT COUNT(*) AS number FROM delivery_targets WHERE paused_until > {now}")


@dataclass(frozen=True, slots=True)
class Waiting:
    """The waiting deliveries of one kind."""

    number: int
    oldest_seconds: float
    #: Time since the earliest of those that are due and that nobody sends.
    overdue_seconds: float


async def end_deliveries_of_disabled(database: Database) -> int:
    """End a batch of the deliveries that wait for disabled endpoints; return their number. A replay revives
    them."""
    return len(await database.write(lambda tx: tx.all(_END_OF_DISABLED, most=ENDED_AT_ONCE)))


async def next_of_payments(
    database: Database, payment_ids: Sequence[str], kind: str
) -> list[tuple[str, str]]:
    """Return id and target of deliveries that waited for an earlier one's first attempt."""
    rows = await database.read(lambda tx: tx.all_of(_NEXT_OF_PAYMENTS, payment_ids, kind=kind))
    return [(row.id, row.target) for row in rows]


async def due_targets(database: Database) -> list[tuple[str, str]]:
    """Return kind and target of those that have deliveries to publish."""
    return [(row.kind, row.id) for row in await database.read(lambda tx: tx.all(_DUE_TARGETS))]


async def claim_to_publish(database: Database, target: str, most: int) -> list[str]:
    """Return the deliveries of a target that are to be published now, and postpone their next publication."""
    rows = await database.write(lambda tx: tx.all(_PUBLISH, target=target, most=most, pause_ms=REPUBLISH_MS))
    return [row.id for row in rows]


async def not_published(database: Database, ids: Sequence[str]) -> None:
    """Make the next sweep publish what the broker did not accept; raises DatabaseUnavailable,
    CommitUnknown."""
    await database.write(lambda tx: tx.all_of(_NOT_PUBLISHED, ids))


async def waiting_counts(database: Database) -> dict[str, Waiting]:
    """Return the waiting deliveries of each kind that has some."""
    rows = await database.read(lambda tx: tx.all(_WAITING))
    return {
        row.kind: Waiting(row.number, max(0, row.oldest_ms) / 1000, max(0, row.overdue_ms or 0) / 1000)
        for row in rows
    }


async def paused_targets(database: Database) -> int:
    """Return the number of targets that are paused because they kept failing."""
    row = await database.read(lambda tx: tx.one(_PAUSED))
    return 0 if row is None else int(row.number)
