"""A whole purge: step after step, with a pause after each, so that payments always have their turn."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

from shared.storage.administration import audit_trail
from shared.storage.administration.audit_trail import Action, Actor
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments.listing import Place
from shared.storage.retention import purge
from shared.storage.retention.lease import Lease, end

TASK: Final = "purge"
PAUSE_SECONDS: Final = 0.05
_DAY_MS: Final = 86_400_000
#: A delivery is younger than its payment, by a session or a doubt. Each purge looks once more at the payments
#: of so many days before the place where the last one ended.
_LATE_DELIVERIES_DAYS: Final = 7

_NOW = Statement("SELECT {now} AS now")
_PLACE = Statement("SELECT place_created_at, place_id FROM tasks WHERE name = :name AND place_id IS NOT NULL")

#: Called after each step with the rows that were deleted, or counted, so far.
OnStep = Callable[[Counter[str]], None]


@dataclass(frozen=True, slots=True)
class Kept:
    """Days that payments and deliveries are kept; 0: for ever."""

    payment_days: int
    delivery_days: int


async def purge_all(database: Database, lease: Lease, kept: Kept, on_step: OnStep) -> Counter[str]:
    """Delete everything that is older, and give the task back; return the deleted rows by table.

    Raises LeaseLost, DatabaseUnavailable, CommitUnknown: a later run goes on.
    """
    deleted: Counter[str] = Counter()
    if kept.delivery_days:
        before = lease.started_at - kept.delivery_days * _DAY_MS
        lease.place = _begin(lease.place)
        while True:
            step = await purge.purge_deliveries(database, lease, before=before)
            deleted += step.deleted
            on_step(deleted)
            if step.next is None:
                break
            await asyncio.sleep(PAUSE_SECONDS)
    if kept.payment_days:
        before, place = lease.started_at - kept.payment_days * _DAY_MS, None
        while True:
            step = await purge.purge_payments(database, lease, before=before, after=place)
            deleted += step.deleted
            on_step(deleted)
            if step.next is None:
                break
            place = step.next
            await asyncio.sleep(PAUSE_SECONDS)
    if deleted:
        await database.write(lambda tx: _record(tx, lease, kept, deleted))
    await end(database, lease)
    return deleted


def _begin(place: Place) -> Place:
    """Return the place where a purge of deliveries begins, after the last one came to `place`."""
    return Place(place.created_at - _LATE_DELIVERIES_DAYS * _DAY_MS, "")


async def _record(tx: Transaction, lease: Lease, kept: Kept, deleted: Counter[str]) -> None:
    detail = {**asdict(kept), "deleted": dict(deleted)}
    await audit_trail.record(tx, Actor(lease.owner), Action.PURGED, TASK, detail=detail)


async def count_all(database: Database, kept: Kept, on_step: OnStep) -> Counter[str]:
    """Count what a purge would delete now; change nothing. Raises DatabaseUnavailable."""
    row = await database.read(lambda tx: tx.one(_NOW))
    assert row is not None, "the time is one row"
    found: Counter[str] = Counter()
    place: Place | None
    if kept.delivery_days:
        begun = await database.read(lambda tx: tx.one(_PLACE, name=TASK))
        place = None if begun is None else _begin(Place(begun.place_created_at, begun.place_id))
        before = row.now - kept.delivery_days * _DAY_MS
        while True:
            step = await purge.count_deliveries(database, before=before, after=place)
            found += step.deleted
            on_step(found)
            place = step.next
            if place is None:
                break
    if kept.payment_days:
        before, place = row.now - kept.payment_days * _DAY_MS, None
        while True:
            step = await purge.count_payments(database, before=before, after=place)
            found += step.deleted
            on_step(found)
            place = step.next
            if place is None:
                break
    return found
