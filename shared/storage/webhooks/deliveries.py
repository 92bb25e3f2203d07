"""Leases of deliveries by notifier workers, and the results of their attempts.

A lease is for one attempt. A result that comes after the end of its lease changes nothing if another worker
has leased the delivery meanwhile, so that the death of a worker costs at most a repeated delivery.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.storage.db.engine import Database, Row, Transaction
from shared.storage.db.statement import NOW_ONCE, Statement

#: The target is neither paused nor disabled.
_OPEN: Final = (
    " AND NOT EXISTS (SELECT 1 FROM delivery_targets t WHERE t.id = {target}"
    f" AND t.paused_until > {NOW_ONCE} LIMIT 1 OFFSET 0)"
    " AND NOT EXISTS (SELECT 1 FROM webhook_endpoints w WHERE w.id = {target}"
    " AND w.disabled_at IS NOT NULL LIMIT 1 OFFSET 0)"
)
_OPEN_OF_ROW: Final = _OPEN.replace("{target}", "d.target")
_OPEN_OF_TARGET: Final = _OPEN.replace("{target}", ":target")
#: Due, not leased, and no earlier one of its payment is still before its first attempt. `OFFSET 0`:
#: evaluated for
#: each row by its index, even without statistics of the table.
_LEASABLE: Final = (
    f" AND d.due_at <= {NOW_ONCE} AND (d.leased_until IS NULL OR d.leased_until <= {NOW_ONCE})"
    " AND NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.payment_id = d.payment_id AND e.target = d.target"
    " AND e.sequence < d.sequence AND e.state = 'waiting' AND e.tried_at IS NULL LIMIT 1 OFFSET 0)"
)
_LEASE_CHOSEN: Final = (
    f" UPDATE deliveries SET lease = lease + 1, leased_until = {NOW_ONCE} + :lease_ms"
    " FROM chosen WHERE deliveries.id = chosen.chosen_id"
    " RETURNING id, lease, kind, target, payment_id, event_number, type, sequence, tries, tried_at,"
    f" {NOW_ONCE} - since_at AS age_ms"
)
#: The chosen rows are locked once, by a part that is not run again. `state` is not compared with 'waiting',
#: so
#: that the index of all waiting deliveries is not read for a few ids.
_LEASE = Statement(
    "WITH chosen AS MATERIALIZED (SELECT d.id AS chosen_id FROM deliveries d WHERE d.id {in_ids}"
    f" AND d.state <> 'delivered' AND d.state <> 'dead'{_LEASABLE}{_OPEN_OF_ROW}"
    " ORDER BY d.id {skip_locked})" + _LEASE_CHOSEN
)
_LEASE_OF_TARGET = Statement(
    "WITH chosen AS MATERIALIZED (SELECT d.id AS chosen_id FROM deliveries d WHERE d.target = :target"
    f" AND d.state = 'waiting'{_OPEN_OF_TARGET}{_LEASABLE}"
    " ORDER BY d.due_at LIMIT :most {skip_locked})" + _LEASE_CHOSEN
)

_ATTEMPTED: Final = (
    "tries = tries + 1, tried_at = COALESCE(tried_at, {now}), leased_until = NULL, lease = lease + 1"
)
_DELIVERED = Statement(
    f"UPDATE deliveries SET state = 'delivered', reason = NULL, ended_at = {{now}}, {_ATTEMPTED} WHERE id"
    f" = :id"
)
_GIVE_UP = Statement(
    f"UPDATE deliveries SET state = 'dead', reason = :reason, ended_at = {{now}}, {_ATTEMPTED} WHERE id = :id"
)
_RETRY = Statement(
    "UPDATE deliveries SET due_at = {now} + :pause_ms, publish_at = {now} + :pause_ms, publish_count = 0, "
    f"{_ATTEMPTED} WHERE id = :id"
)
#: Locks the rows of some results, so that their leases stay as they are read until the commit.
_LOCK = Statement("SELECT id, lease, state FROM deliveries WHERE id {in_ids} ORDER BY id {for_update}")
_INSERT_ATTEMPT = Statement(
    "INSERT INTO delivery_attempts (delivery_id, at, duration_ms, status, error, answer, location)"
    " VALUES (:id, {now} - :duration_ms, :duration_ms, :status, :error, :answer, :location)"
)

#: Failures during a pause are of attempts that began before it.
_TARGET_FAILED = Statement(
    "INSERT INTO delivery_targets (id, failures) VALUES (:id, 1) ON CONFLICT (id) DO UPDATE SET"
    " failures = delivery_targets.failures + 1,"
    " paused_until = CASE WHEN delivery_targets.failures + 1 < :threshold THEN NULL ELSE {now} + :pause_ms *"
    " (1 << CASE WHEN delivery_targets.failures + 1 - :threshold > 5 THEN 5"
    " ELSE delivery_targets.failures + 1 - :threshold END) END"
    " WHERE delivery_targets.paused_until IS NULL OR delivery_targets.paused_until <= {now}"
)
_TARGETS_SUCCEEDED = Statement("DELETE FROM delivery_targets WHERE id {in_ids} RETURNING id")

#: The endpoint answered that it is gone for good (410); not one whose URL was changed meanwhile.
_ENDPOINT_GONE = Statement(
    "UPDATE webhook_endpoints SET disabled_at = {now}, disabled_because = 'gone', changed_at = {now}"
    " WHERE id = :id AND url = :url AND disabled_at IS NULL"
)


@dataclass(frozen=True, slots=True)
class Leased:
    """A delivery that a worker leased for one attempt."""

    id: str
    lease: int
    kind: str
    target: str
    payment_id: str | None
    #: The event that it carries; None: HiPay's order notification.
    event_number: int | None
    type: str
    sequence: int
    #: Earlier attempts since it was written or replayed.
    tries: int
    is_first_try: bool
    #: Since it was written or replayed.
    age_seconds: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt: HTTP `status` if there was a response, `error` the code of a failure."""

    duration_ms: int
    status: int | None = None
    error: str | None = None
    #: The first 2 KiB of the response body.
    answer: str | None = None
    #: Target of a redirect, which is not followed.
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """A successful attempt."""


@dataclass(frozen=True, slots=True)
class Retry:
    """A failed attempt that is repeated after a pause."""

    pause_seconds: float
    #: The failure counts for the target's circuit breaker: it is not a failure of this one message.
    is_targets: bool = True


@dataclass(frozen=True, slots=True)
class GiveUp:
    """A delivery that is dead unless it is replayed; `endpoint_is_gone` disables the endpoint."""

    reason: str
    endpoint_is_gone: bool = False


Decision = Delivered | Retry | GiveUp


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """An attempt with its decision, to be stored."""

    leased: Leased
    attempt: Attempt
    decision: Decision
    #: URL of the request.
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Breaker:
    """The circuit breaker of a target: failures in a row that pause it, and the first pause."""

    failures: int
    pause_seconds: float


async def lease(database: Database, ids: Sequence[str], lease_seconds: float) -> list[Leased]:
    """Lease the deliveries that may be sent now; raises DatabaseUnavailable, CommitUnknown."""
    rows = await database.write(lambda tx: tx.all_of(_LEASE, ids, lease_ms=round(lease_seconds * 1000)))
    return [_leased(row) for row in rows]


async def lease_of_target(database: Database, target: str, most: int, lease_seconds: float) -> list[Leased]:
    """Lease at most `most` deliveries of one target, the longest due first.

    Raises DatabaseUnavailable, CommitUnknown: what was leased all the same is leased again after its time.
    """
    lease_ms = round(lease_seconds * 1000)
    rows = await database.write_rows(_LEASE_OF_TARGET, target=target, most=most, lease_ms=lease_ms)
    return [_leased(row) for row in rows]


def _leased(row: Row) -> Leased:
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


async def record(database: Database, results: Sequence[AttemptResult], *, breaker: Breaker) -> None:
    """Store the results of attempts, all or none; a result whose lease was replaced changes nothing.

    Raises DatabaseUnavailable, CommitUnknown: store them again.
    """

    async def work(tx: Transaction) -> None:
        rows = await tx.all_of(_LOCK, [one.leased.id for one in results])
        mine = {(row.id, row.lease) for row in rows if row.state == "waiting"}
        stored = [one for one in results if (one.leased.id, one.leased.lease) in mine]
        await tx.run_many(_INSERT_ATTEMPT, [_attempt(one) for one in stored])
        await _record_decisions(tx, stored)
        await _record_targets(tx, stored, breaker)

    await database.write(work)


async def _record_decisions(tx: Transaction, results: Sequence[AttemptResult]) -> None:
    delivered: list[Mapping[str, object]] = []
    retried: list[Mapping[str, object]] = []
    dead: list[Mapping[str, object]] = []
    for one in results:
        match one.decision:
            case Delivered():
                delivered.append({"id": one.leased.id})
            case Retry(pause_seconds):
                retried.append({"id": one.leased.id, "pause_ms": round(pause_seconds * 1000)})
            case GiveUp(reason):
                dead.append({"id": one.leased.id, "reason": reason})
    await tx.run_many(_DELIVERED, delivered)
    await tx.run_many(_RETRY, retried)
    await tx.run_many(_GIVE_UP, dead)


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


async def _record_targets(tx: Transaction, results: Sequence[AttemptResult], breaker: Breaker) -> None:
    succeeded = {one.leased.target for one in results if isinstance(one.decision, Delivered)}
    failed = sorted(
        one.leased.target
        for one in results
        if isinstance(one.decision, Retry) and one.decision.is_targets and one.leased.target not in succeeded
    )
    if succeeded:
        await tx.all_of(_TARGETS_SUCCEEDED, sorted(succeeded))
    await tx.run_many(
        _TARGET_FAILED,
        [
            {"id": target, "threshold": breaker.failures, "pause_ms": round(breaker.pause_seconds * 1000)}
            for target in failed
        ],
    )
    for one in results:
        if isinstance(one.decision, GiveUp) and one.decision.endpoint_is_gone:
            await tx.run(_ENDPOINT_GONE, id=one.leased.target, url=one.url)
