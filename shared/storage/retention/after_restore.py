"""Doubts after a restore of an older backup: what may have happened since is not answered from the backup.

Whatever was queued or in session at the backup's moment may have been carried out since. An attempt that had
failed may have been repeated, with success; a success may have been reversed. Cursors of the events' feed may
be newer than the backup. Each step is a transaction of its own, and doing it again changes nothing.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from shared.payment.payment import Reason
from shared.payment.states import Event, State, apply
from shared.storage.administration import audit_trail
from shared.storage.administration.audit_trail import Action, Actor
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments.ending import lock_debit_of, move
from shared.storage.payments.rows import OPEN, record
from shared.storage.webhooks import feed

STEP: Final = 100

_OPEN = Statement(
    f"SELECT id, state FROM payments WHERE {OPEN} AND state <> 'in_doubt'"
    " ORDER BY {unindexed}id LIMIT :most"
)
#: Nobody sends it any more; no terminal lock is acquired.
_CLAIM = Statement(
    "UPDATE payments SET state = :in_session, claimed_at = {now}, worker = :worker"
    " WHERE id = :payment_id AND state = 'queued' RETURNING id"
)

#: Failures of the last hours before the moment, and successes that would still be answered again.
_LAST = Statement(
    "SELECT id, state FROM payments WHERE created_at >= :failures_from"
    " AND state NOT IN ('queued', 'in_session', 'in_doubt') AND NOT key_closed"
    " AND (state <> 'succeeded' OR ended_at >= :successes_from)"
    " ORDER BY created_at, id LIMIT :most {for_update}"
)
_LOCK_ORDERS = Statement("UPDATE payments SET key_closed = true WHERE id {in_ids}")


@dataclass(frozen=True, slots=True)
class Marked:
    """The number of payments that are in doubt now, and of those whose orders take no more attempts."""

    doubts: int
    locked: int


@dataclass(frozen=True, slots=True)
class Moment:
    """The moment of a backup, in milliseconds since 1970 UTC, and how far before it orders are locked."""

    at: int
    failure_hours: float
    success_seconds: float

    @property
    def text(self) -> dict[str, object]:
        """Return the detail for histories."""
        return {"restored_to": self.at}


async def mark(database: Database, moment: Moment, *, by: str) -> Marked:
    """Put in doubt what was open, and lock the orders of the last hours for review, while no process runs.

    Events from here on have positions after every cursor of the feed.

    Raises DatabaseUnavailable, CommitUnknown: mark again.
    """
    await database.write(feed.pass_lost_positions)
    doubts = await _until_none_is_left(database, lambda tx: _doubt_some(tx, moment))
    locked = await _until_none_is_left(database, lambda tx: _lock_some(tx, moment))
    detail = {**moment.text, "doubts": doubts, "locked": locked}
    await database.write(
        lambda tx: audit_trail.record(tx, Actor(by), Action.RESTORED, "database", detail=detail)
    )
    return Marked(doubts, locked)


async def _until_none_is_left(database: Database, step: Callable[[Transaction], Awaitable[int]]) -> int:
    total = 0
    while True:
        number = await database.write(step)
        total += number
        if number == 0:
            return total


async def _doubt_some(tx: Transaction, moment: Moment) -> int:
    found = await tx.all(_OPEN, most=STEP)
    for row in found:
        await lock_debit_of(tx, row.id)
        if row.state == State.QUEUED:
            await _claim(tx, row.id)
        await move(
            tx, row.id, State.IN_SESSION, Event.OUTCOME_LOST, reason=Reason.RESTORED, detail=moment.text
        )
    return len(found)


async def _claim(tx: Transaction, payment_id: str) -> None:
    """Claim a queued payment that a worker may have claimed since: only what was claimed can be in doubt."""
    claimed = apply(State.QUEUED, Event.CLAIMED)
    row = await tx.one(_CLAIM, payment_id=payment_id, in_session=claimed.value, worker=Reason.RESTORED.value)
    if row is not None:
        await record(tx, payment_id, Event.CLAIMED, claimed, {"worker": Reason.RESTORED.value})


async def _lock_some(tx: Transaction, moment: Moment) -> int:
    rows = await tx.all(
        _LAST,
        failures_from=moment.at - round(moment.failure_hours * 3_600_000),
        successes_from=moment.at - round(moment.success_seconds * 1000),
        most=STEP,
    )
    await tx.run_of(_LOCK_ORDERS, [row.id for row in rows])
    for row in rows:
        await record(tx, row.id, "locked_after_restore", State(row.state), moment.text)
    return len(rows)
