"""Replays of deliveries on request: the same row is sent again, never a second one.

The row is the only task for its target, so that two requests for a replay cause one.
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from shared.notification.kinds import MERCHANT
from shared.storage.administration import audit_trail
from shared.storage.administration.audit_trail import Action, Actor
from shared.storage.db.engine import Database, Transaction, WakeUp
from shared.storage.db.statement import Statement
from shared.storage.payments.listing import Place
from shared.storage.webhooks.delivery_list import DeliveryFilter
from shared.storage.webhooks.endpoints import EndpointIsDisabled
from shared.storage.webhooks.outbox import RELAY_GRACE_MS

#: Rows that one transaction locks.
BATCH: Final = 500
#: Deliveries that one request replays; the next request continues.
REPLAYED_AT_MOST: Final = 10_000

#: As a new row, except for `tried_at`: no later delivery of its payment waits for it. The lease is raised,
#: so that
#: a late result of an earlier attempt changes nothing.
_ANEW: Final = (
    "UPDATE deliveries SET state = 'waiting', reason = NULL, tries = 0, lease = lease + 1,"
    " leased_until = NULL, since_at = {now}, due_at = {now}, publish_at = {now} + :grace_ms,"
    " publish_count = 0, ended_at = NULL"
)
_REPLAY = Statement(_ANEW + " WHERE id = :id AND state IN ('delivered', 'dead')")
_REPLAY_BATCH = Statement(_ANEW + " WHERE id {in_ids} RETURNING id")
_DUE_NOW = Statement(
    "UPDATE deliveries SET due_at = {now}, publish_at = {now} + :grace_ms, publish_count = 0"
    " WHERE id = :id AND state = 'waiting' AND (leased_until IS NULL OR leased_until <= {now})"
)
#: Another merchant's row is neither read nor locked.
_LOCK = Statement(
    "SELECT id, kind, target, state FROM deliveries WHERE id = :id"
    " AND (CAST(:merchant_id AS TEXT) IS NULL OR (merchant_id = :merchant_id AND kind = :merchants))"
    " {for_update}"
)
_IS_DISABLED = Statement("SELECT id FROM webhook_endpoints WHERE id = :id AND disabled_at IS NOT NULL")
_NOW = Statement("SELECT {now} AS at")

_REPLAYABLE: Final = (
    "NOT EXISTS (SELECT 1 FROM webhook_endpoints w WHERE w.id = deliveries.target"
    " AND w.disabled_at IS NOT NULL)"
)
_AFTER: Final = "(created_at, id) > (:after_created_at, :after_id)"

_START: Final = Place(-1, "")


@dataclass(frozen=True, slots=True)
class Replays:
    """The number of replayed deliveries; `next` is the start of the next request, None: there are no more."""

    count: int
    next: Place | None


async def replay(
    database: Database, delivery_id: str, *, merchant_id: str | None, operator: Actor | None = None
) -> bool:
    """Replay a delivery that has ended; one that waits becomes due now, one that is being sent is left alone.

    False: there is no such delivery, or it is not `merchant_id`'s (None: any merchant's, or HiPay's).
    `operator`: whose request is recorded in the audit trail. Raises EndpointIsDisabled,
    DatabaseUnavailable, CommitUnknown.
    """

    async def work(tx: Transaction) -> bool:
        row = await tx.one(_LOCK, id=delivery_id, merchant_id=merchant_id, merchants=MERCHANT)
        if row is None:
            return False
        if await tx.one(_IS_DISABLED, id=row.target) is not None:
            raise EndpointIsDisabled
        statement = _DUE_NOW if row.state == "waiting" else _REPLAY
        if await tx.run(statement, id=row.id, grace_ms=RELAY_GRACE_MS):
            tx.wake_ups.append(WakeUp(row.kind, row.id, row.target))
            if operator is not None:
                await audit_trail.record(tx, operator, Action.DELIVERY_REPLAYED, row.id)
        return True

    return await database.write(work)


async def replay_many(
    database: Database,
    wanted: DeliveryFilter,
    *,
    after: Place | None,
    most: int = REPLAYED_AT_MOST,
    operator: Actor | None = None,
) -> Replays:
    """Replay all deliveries that fit, the oldest first; those of disabled endpoints stay as they are.

    `wanted.state` is `delivered` or `dead`. No wake-ups are published: the notifier workers' sweep publishes
    the
    deliveries within about a second, target by target, so that many at once do not delay others. Each batch
    is a transaction of its own, in which an operator's request is recorded with the filter. Raises
    EndpointIsDisabled for a named endpoint, DatabaseUnavailable, CommitUnknown: repeat the request.
    """
    assert wanted.state in ("delivered", "dead"), "waiting deliveries are sent anyway"
    if wanted.target is not None:
        target = wanted.target
        if await database.read(lambda tx: tx.one(_IS_DISABLED, id=target)) is not None:
            raise EndpointIsDisabled
    if wanted.created_before is None:
        # Deliveries that are written meanwhile are left out: it might never end.
        row = await database.read(lambda tx: tx.one(_NOW))
        assert row is not None
        wanted = replace(wanted, created_before=row.at)
    count, place = 0, after
    while count < most:
        size = min(BATCH, most - count)
        replayed, place = await _replay_batch(database, wanted, place, size, operator)
        count += replayed
        if replayed < size:
            return Replays(count, None)
    return Replays(count, place)


async def _replay_batch(
    database: Database, wanted: DeliveryFilter, after: Place | None, size: int, operator: Actor | None
) -> tuple[int, Place | None]:
    start = after or _START
    statement = _lock_batch(wanted.conditions())
    place = {"after_created_at": start.created_at, "after_id": start.id}

    async def work(tx: Transaction) -> tuple[int, Place | None]:
        rows = await tx.all(statement, most=size, **wanted.parameters(), **place)
        if not rows:
            return 0, after
        await tx.all_of(_REPLAY_BATCH, [row.id for row in rows], grace_ms=0)
        if operator is not None:
            detail = {"count": len(rows), "filter": wanted.parameters()}
            await audit_trail.record(tx, operator, Action.DELIVERIES_REPLAYED, "", detail=detail)
        return len(rows), Place(rows[-1].created_at, rows[-1].id)

    return await database.write(work)


@cache
def _lock_batch(conditions: tuple[str, ...]) -> Statement:
    where = " AND ".join((*conditions, _REPLAYABLE, _AFTER))
    return Statement(
        f"SELECT id, created_at FROM deliveries WHERE {where}"
        " ORDER BY created_at, id LIMIT :most {for_update}"
    )
