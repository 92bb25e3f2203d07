"""Deliveries as the notifier workers see them: leased, tried, tried again, published by the sweep.

A lease belongs to one try: whatever comes of it later than the lease's end changes nothing if another worker
has taken the delivery meanwhile, so that a death costs a repeated delivery at most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row

from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement

#: The message of the sweep is followed by another one after 10, 20 and then every 40 seconds: a worker that
#: died may have had it.
REPUBLISH_MS: Final = 10_000

#: Rows that are ended in one transaction.
LEFT_OVER_AT_ONCE: Final = 1000

#: The time of a statement that waits for no lock, read once: an index can be searched by it.
_NOW: Final = "(SELECT {now})"

#: The target is neither paused nor disabled.
_OPEN: Final = (
    " AND NOT EXISTS (SELECT 1 FROM delivery_targets t WHERE t.id = {target}"
    f" AND t.paused_until > {_NOW} LIMIT 1 OFFSET 0)"
    " AND NOT EXISTS (SELECT 1 FROM webhook_endpoints w WHERE w.id = {target}"
    " AND w.disabled_at IS NOT NULL LIMIT 1 OFFSET 0)"
)
_OPEN_OF_ROW: Final = _OPEN.replace("{target}", "d.target")
_OPEN_OF_TARGET: Final = _OPEN.replace("{target}", ":target")
#: Due, nobody's, and no earlier one of its payment still before its first try. `OFFSET 0`: looked up for each
#: row by its index, however little the database knows of the table yet.
_LEASABLE: Final = (
    f" AND d.due_at <= {_NOW} AND (d.leased_until IS NULL OR d.leased_until <= {_NOW})"
    " AND NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.payment_id = d.payment_id AND e.target = d.target"
    " AND e.sequence < d.sequence AND e.state = 'waiting' AND e.tried_at IS NULL LIMIT 1 OFFSET 0)"
)
_TAKE: Final = (
    f" UPDATE deliveries SET lease = lease + 1, leased_until = {_NOW} + :lease_ms"
    " FROM chosen WHERE deliveries.id = chosen.chosen_id"
    " RETURNING id, lease, kind, target, payment_id, event_number, type, sequence, tries, tried_at,"
    f" {_NOW} - since_at AS age_ms"
)
#: The chosen rows are locked once, by a statement part that is not run again. Waiting, in other words: so
#: that no index of all that waits is read for a few ids.
_LEASE = Statement(
    "WITH chosen AS MATERIALIZED (SELECT d.id AS chosen_id FROM deliveries d WHERE d.id {in_ids}"
    f" AND d.state <> 'delivered' AND d.state <> 'dead'{_LEASABLE}{_OPEN_OF_ROW}"
    " ORDER BY d.id {skip_locked})" + _TAKE
)
_LEASE_OF_TARGET = Statement(
    "WITH chosen AS MATERIALIZED (SELECT d.id AS chosen_id FROM deliveries d WHERE d.target = :target"
    f" AND d.state = 'waiting'{_OPEN_OF_TARGET}{_LEASABLE}"
    " ORDER BY d.due_at LIMIT :most {skip_locked})" + _TAKE
)

_TRIED: Final = (
    "tries = tries + 1, tried_at = COALESCE(tried_at, {now}), leased_until = NULL, lease = lease + 1"
)
_DELIVERED = Statement(
    f"UPDATE deliveries SET state = 'delivered', reason = NULL, ended_at = {{now}}, {_TRIED} WHERE id = :id"
)
_DEAD = Statement(
    f"UPDATE deliveries SET state = 'dead', reason = :reason, ended_at = {{now}}, {_TRIED} WHERE id = :id"
)
_AGAIN = Statement(
    "UPDATE deliveries SET due_at = {now} + :pause_ms, publish_at = {now} + :pause_ms, publish_count = 0, "
    f"{_TRIED} WHERE id = :id"
)
#: The rows of some results, locked: whose they are is read here, and stays so until the commit.
_LOCK = Statement("SELECT id, lease, state FROM deliveries WHERE id {in_ids} ORDER BY id {for_update}")
_INSERT_ATTEMPT = Statement(
    "INSERT INTO delivery_attempts (delivery_id, at, duration_ms, status, error, answer, location)"
    " VALUES (:id, {now} - :duration_ms, :duration_ms, :status, :error, :answer, :location)"
)

#: Failures during a pause are of tries that began before it.
_TARGET_FAILED = Statement(
    "INSERT INTO delivery_targets (id, failures) VALUES (:id, 1) ON CONFLICT (id) DO UPDATE SET"
    " failures = delivery_targets.failures + 1,"
    " paused_until = CASE WHEN delivery_targets.failures + 1 < :threshold THEN NULL ELSE {now} + :pause_ms *"
    " (1 << CASE WHEN delivery_targets.failures + 1 - :threshold > 5 THEN 5"
    " ELSE delivery_targets.failures + 1 - :threshold END) END"
    " WHERE delivery_targets.paused_until IS NULL OR delivery_targets.paused_until <= {now}"
)
_TARGETS_WORK = Statement("DELETE FROM delivery_targets WHERE id {in_ids} RETURNING id")

#: The endpoint says that it is gone for good (410); not one whose address was changed meanwhile.
_ENDPOINT_GONE = Statement(
    "UPDATE webhook_endpoints SET disabled_at = {now}, disabled_because = 'gone', changed_at = {now}"
    " WHERE id = :id AND url = :url AND disabled_at IS NULL"
)
#: What waits for endpoints that hear of nothing any more, and is not being sent.
_END_LEFT_OVER = Statement(
    "WITH chosen AS MATERIALIZED (SELECT d.id AS chosen_id FROM deliveries d WHERE d.state = 'waiting'"
    " AND d.target IN (SELECT w.id FROM webhook_endpoints w WHERE w.disabled_at IS NOT NULL)"
    f" AND (d.leased_until IS NULL OR d.leased_until <= {_NOW}) LIMIT :most {{skip_locked}})"
    " UPDATE deliveries SET state = 'dead', reason = 'endpoint_disabled', leased_until = NULL,"
    " lease = lease + 1, ended_at = {now} FROM chosen WHERE deliveries.id = chosen.chosen_id RETURNING id"
)

#: What may go now that an earlier one of its payment had its first try.
_NEXT_OF_PAYMENTS = Statement(
    "SELECT id, target FROM deliveries WHERE payment_id {in_ids} AND kind = :kind AND state = 'waiting'"
    " AND tried_at IS NULL AND due_at <= {now} AND leased_until IS NULL ORDER BY sequence"
)

#: Targets that are not paused and for which something is to be published.
_DUE: Final = (
    f" AND NOT EXISTS (SELECT 1 FROM delivery_targets t WHERE t.id = w.id AND t.paused_until > {_NOW})"
    " AND EXISTS (SELECT 1 FROM deliveries d WHERE d.target = w.id AND d.state = 'waiting'"
    f" AND d.publish_at <= {_NOW} AND (d.leased_until IS NULL OR d.leased_until <= {_NOW}) LIMIT 1 OFFSET 0)"
)
_DUE_TARGETS = Statement(
    "SELECT 'hipay' AS kind, w.id FROM (SELECT 'hipay' AS id) w WHERE 1 = 1"
    + _DUE
    + " UNION ALL SELECT 'merchant', w.id FROM webhook_endpoints w WHERE w.disabled_at IS NULL"
    + _DUE
)
_PUBLISH = Statement(
    "WITH chosen AS MATERIALIZED (SELECT d.id AS chosen_id FROM deliveries d WHERE d.target = :target"
    f" AND d.state = 'waiting' AND d.publish_at <= {_NOW}"
    f" AND (d.leased_until IS NULL OR d.leased_until <= {_NOW}) ORDER BY d.publish_at LIMIT :most"
    " {skip_locked})"
    f" UPDATE deliveries SET publish_at = {_NOW} + :pause_ms *"
    " (1 << CASE WHEN publish_count > 2 THEN 2 ELSE publish_count END), publish_count = publish_count + 1"
    " FROM chosen WHERE deliveries.id = chosen.chosen_id RETURNING id"
)
#: As if it had not been tried: `_PUBLISH` only spaces out what came to nothing though it was published.
_NOT_PUBLISHED = Statement(
    "UPDATE deliveries SET publish_at = {now}, publish_count = publish_count - 1 WHERE id {in_ids}"
    " AND state = 'waiting' AND publish_count > 0 AND (leased_until IS NULL OR leased_until <= {now})"
    " RETURNING id"
)

_WAITING = Statement(
    "SELECT kind, COUNT(*) AS number, {now} - MIN(since_at) AS oldest_ms FROM deliveries"
    " WHERE state = 'waiting' GROUP BY kind"
)


@dataclass(frozen=True, slots=True)
class Leased:
    """A delivery that is this worker's for one try."""

    id: str
    lease: int
    kind: str
    target: str
    payment_id: str | None
    #: The event it tells; None: HiPay's order notification.
    event_number: int | None
    type: str
    sequence: int
    #: Tries since it was made or replayed, this one not among them.
    tries: int
    is_first_try: bool
    #: Since it was made or replayed.
    age_seconds: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of a try: HTTP `status` where there was one, `error` a stable word where it failed."""

    duration_ms: int
    status: int | None = None
    error: str | None = None
    #: The first 2 KiB of the answer's body.
    answer: str | None = None
    #: Where a redirect leads, which is not followed.
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    pass


@dataclass(frozen=True, slots=True)
class Retry:
    """Tried again after so many seconds."""

    pause_seconds: float
    #: Whether it counts against the target: trouble of the receiver, not of this one message.
    is_targets: bool = True


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Never tried again by itself. `endpoint_is_gone`: nothing more for this endpoint."""

    reason: str
    endpoint_is_gone: bool = False


Decision = Delivered | Retry | GiveUp


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """One try, to be stored."""

    leased: Leased
    attempt: Attempt
    decision: Decision
    #: Where it was sent.
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Breaker:
    """From how many failures in a row on a target is left alone, and for how long at first."""

    failures: int
    pause_seconds: float


async def lease(database: Database, ids: Sequence[str], lease_seconds: float) -> list[Leased]:
    """Take those of the deliveries that may be sent now; raises DatabaseUnavailable, CommitUnknown."""
    rows = await database.write(lambda tx: tx.all_of(_LEASE, ids, lease_ms=round(lease_seconds * 1000)))
    return [_leased(row) for row in rows]


async def lease_of_target(database: Database, target: str, most: int, lease_seconds: float) -> list[Leased]:
    """Take up to `most` deliveries of one target, the longest due first."""
    lease_ms = round(lease_seconds * 1000)
    rows = await database.write(
        lambda tx: tx.all(_LEASE_OF_TARGET, target=target, most=most, lease_ms=lease_ms)
    )
    return [_leased(row) for row in rows]


def _leased(row: Row[Any]) -> Leased:
    return Leased(
        id=row.id,
        lease=row.lease,
        kind=row.kind,
        target=row.target,
        payment_id=row.payment_id,
        event_number=row.event_number,
        type=row.type,
        sequence=row.sequence,
        tries=row.tries,
        is_first_try=row.tried_at is None,
        age_seconds=row.age_ms / 1000,
    )


async def record(database: Database, tried: Sequence[AttemptResult], *, breaker: Breaker) -> None:
    """Store what came of some tries, all or none; those of a lease that is over change nothing.

    Raises DatabaseUnavailable, CommitUnknown: store them again.
    """

    async def work(tx: Transaction) -> None:
        rows = await tx.all_of(_LOCK, [one.leased.id for one in tried])
        mine = {(row.id, row.lease) for row in rows if row.state == "waiting"}
        stored = [one for one in tried if (one.leased.id, one.leased.lease) in mine]
        await tx.run_many(_INSERT_ATTEMPT, [_attempt(one) for one in stored])
        await _record_verdicts(tx, stored)
        await _record_targets(tx, stored, breaker)

    await database.write(work)


async def _record_verdicts(tx: Transaction, tried: Sequence[AttemptResult]) -> None:
    delivered: list[Mapping[str, object]] = []
    again: list[Mapping[str, object]] = []
    dead: list[Mapping[str, object]] = []
    for one in tried:
        match one.decision:
            case Delivered():
                delivered.append({"id": one.leased.id})
            case Retry(pause_seconds):
                again.append({"id": one.leased.id, "pause_ms": round(pause_seconds * 1000)})
            case GiveUp(reason):
                dead.append({"id": one.leased.id, "reason": reason})
    await tx.run_many(_DELIVERED, delivered)
    await tx.run_many(_AGAIN, again)
    await tx.run_many(_DEAD, dead)


def _attempt(one: AttemptResult) -> Mapping[str, object]:
    attempt = one.attempt
    return {
        "id": one.leased.id,
        "duration_ms": attempt.duration_ms,
        "status": attempt.status,
        "error": attempt.error,
        "answer": attempt.answer,
        "location": attempt.location,
    }


async def _record_targets(tx: Transaction, tried: Sequence[AttemptResult], breaker: Breaker) -> None:
    works = {one.leased.target for one in tried if isinstance(one.decision, Delivered)}
    failed = sorted(
        one.leased.target
        for one in tried
        if isinstance(one.decision, Retry) and one.decision.is_targets and one.leased.target not in works
    )
    if works:
        await tx.all_of(_TARGETS_WORK, sorted(works))
    await tx.run_many(
        _TARGET_FAILED,
        [
            {"id": target, "threshold": breaker.failures, "pause_ms": round(breaker.pause_seconds * 1000)}
            for target in failed
        ],
    )
    for one in tried:
        if isinstance(one.decision, GiveUp) and one.decision.endpoint_is_gone:
            await tx.run(_ENDPOINT_GONE, id=one.leased.target, url=one.url)


async def end_left_over(database: Database) -> int:
    """End some of what waits for disabled endpoints; return how many. A replay brings them back."""
    return len(await database.write(lambda tx: tx.all(_END_LEFT_OVER, most=LEFT_OVER_AT_ONCE)))


async def next_of_payments(
    database: Database, payment_ids: Sequence[str], kind: str
) -> list[tuple[str, str]]:
    """Return id and target of deliveries that an earlier one's first try kept waiting."""
    rows = await database.read(lambda tx: tx.all_of(_NEXT_OF_PAYMENTS, payment_ids, kind=kind))
    return [(row.id, row.target) for row in rows]


async def due_targets(database: Database) -> list[tuple[str, str]]:
    """Return kind and target of those for which the sweep has something to publish."""
    return [(row.kind, row.id) for row in await database.read(lambda tx: tx.all(_DUE_TARGETS))]


async def take_to_publish(database: Database, target: str, most: int) -> list[str]:
    """Return the deliveries of a target that are to be published now; the next look passes them over."""
    rows = await database.write(lambda tx: tx.all(_PUBLISH, target=target, most=most, pause_ms=REPUBLISH_MS))
    return [row.id for row in rows]


async def not_published(database: Database, ids: Sequence[str]) -> None:
    """Let the next sweep publish what the broker did not take; raises DatabaseUnavailable, CommitUnknown."""
    await database.write(lambda tx: tx.all_of(_NOT_PUBLISHED, ids))


async def waiting(database: Database) -> dict[str, tuple[int, float]]:
    """Return for each kind how many wait, and how many seconds ago the oldest was made or replayed."""
    rows = await database.read(lambda tx: tx.all(_WAITING))
    return {row.kind: (row.number, max(0, row.oldest_ms) / 1000) for row in rows}
