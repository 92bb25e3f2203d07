"""The election of the one process that does a task, through its row in the database.

A process that is killed leaves a lease that ends; the next one begins where the work left off, since every
step is a transaction that names the owner, and what is done needs no doing again.
"""

from dataclasses import dataclass
from typing import Final

from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments.listing import Place

#: Much longer than a step.
LEASE_SECONDS: Final = 60.0

#: A task that never ran is due, as if its last run had been one interval ago.
_CREATE = Statement(
    "INSERT INTO tasks (name, started_at, ended_at) VALUES (:name, {now} - :every_ms, {now} - :every_ms)"
    " ON CONFLICT (name) DO NOTHING"
)

#: A task is due so long after the start of its last run; one that did not end is due at once. The end of the
#: last run that did stays known.
_ACQUIRE = Statement(
    "UPDATE tasks SET owner = :owner, lease_until = {now} + :lease_ms, started_at = {now}"
    " WHERE name = :name AND (lease_until IS NULL OR lease_until <= {now})"
    " AND (ended_at IS NULL OR ended_at < started_at OR started_at <= {now} - :every_ms)"
    " RETURNING {now} AS now, place_created_at, place_id"
)

_RENEW = Statement(
    "UPDATE tasks SET lease_until = {now} + :lease_ms, place_created_at = :place_created_at,"
    " place_id = :place_id WHERE name = :name AND owner = :owner RETURNING name"
)

_END = Statement(
    "UPDATE tasks SET owner = NULL, lease_until = NULL, ended_at = {now}"
    " WHERE name = :name AND owner = :owner"
)


class LeaseLost(Exception):
    """Raised where another process has taken the task over; nothing of the step is stored."""


@dataclass(slots=True)
class Lease:
    """A task that this process does."""

    name: str
    owner: str
    #: The database's time at its start, in milliseconds since 1970 UTC.
    started_at: int
    #: Where deliveries are deleted next.
    place: Place


async def acquire(database: Database, name: str, owner: str, *, every_seconds: float) -> Lease | None:
    """Take the task if it is due and nobody does it; None: it is not. Raises DatabaseUnavailable,
    CommitUnknown."""

    async def work(tx: Transaction) -> Lease | None:
        every_ms = round(every_seconds * 1000)
        await tx.run(_CREATE, name=name, every_ms=every_ms)
        row = await tx.one(
            _ACQUIRE, name=name, owner=owner, lease_ms=round(LEASE_SECONDS * 1000), every_ms=every_ms
        )
        if row is None:
            return None
        place = Place(-1, "") if row.place_id is None else Place(row.place_created_at, row.place_id)
        return Lease(name, owner, row.now, place)

    return await database.write(work)


async def renew(tx: Transaction, lease: Lease) -> None:
    """Keep the task for a step, and its place. First in the step's transaction. Raises LeaseLost."""
    row = await tx.one(
        _RENEW,
        name=lease.name,
        owner=lease.owner,
        lease_ms=round(LEASE_SECONDS * 1000),
        place_created_at=lease.place.created_at,
        place_id=lease.place.id,
    )
    if row is None:
        raise LeaseLost(lease.name)


async def end(database: Database, lease: Lease) -> None:
    """Give the task back as done."""
    await database.write(lambda tx: tx.run(_END, name=lease.name, owner=lease.owner))
