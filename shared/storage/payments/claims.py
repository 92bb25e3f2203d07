"""A worker takes a payment, or learns why it cannot: claim, expire, cancel."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row

from shared.payment.payment import Payment, Reason
from shared.payment.states import Event, State, apply
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments.ending import move
from shared.storage.payments.rows import payment_of, record
from shared.storage.terminals import locks

_IN_SESSION: Final = apply(State.QUEUED, Event.CLAIMED)

#: The payment's half of the claim, after its line was taken in the same transaction. The deadline is looked
#: at again in RETURNING: WHERE may have been read before the row's lock was waited for.
_CLAIM = Statement(
    "UPDATE payments SET state = :in_session, claimed_at = {now}, worker = :worker, epoch = :epoch"
    " WHERE id = :payment_id AND state = :queued AND deadline_at > {now}"
    " RETURNING {payment}, profile, traceparent, deadline_at <= {now} AS too_late"
)

_STATE = Statement(
    "SELECT state, reply_to, deadline_at <= {now} AS deadline_passed FROM payments WHERE id = :payment_id"
)

#: Only a payment whose deadline has passed by the database's clock expires.
_DEADLINE_PASSED = Statement(
    "SELECT id FROM payments WHERE id = :payment_id AND state = :queued AND deadline_at <= {now} {for_update}"
)

_CLAIMED = Statement("SELECT {payment}, profile, traceparent FROM payments WHERE id = :payment_id")


@dataclass(frozen=True, slots=True)
class Claimed:
    """The line is this run's and the payment is in session: no byte has been sent yet."""

    payment: Payment
    grant: locks.LockGrant
    #: JSON of the Concert profile's settings, as they were at acceptance.
    profile: str
    pos_number: str
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Held:
    """Another payment holds the line; whoever releases it publishes this one again."""


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """It is still queued and its deadline has passed: it has to be expired."""


@dataclass(frozen=True, slots=True)
class NotQueued:
    """Somebody had it before; `state` is None where no such payment is stored."""

    state: State | None
    reply_to: str | None


Claim = Claimed | Held | DeadlinePassed | NotQueued


class _NotMine(Exception):
    """Rolls the taking of the line back."""


async def claim(
    database: Database, payment_id: str, *, worker: str, token: str, lease_seconds: float
) -> Claim:
    """Take the line, then the payment, in one transaction.

    `lease_seconds` goes into the row for people to read. Raises DatabaseUnavailable and CommitUnknown; after
    the latter `read_back` tells whether the claim was carried out.
    """

    async def work(tx: Transaction) -> Claim:
        grant = await locks.acquire(tx, payment_id, worker=worker, token=token, lease_seconds=lease_seconds)
        if grant is None:
            seen = await _why_not(tx, payment_id)
            return Held() if seen is None else seen
        row = await tx.one(
            _CLAIM,
            payment_id=payment_id,
            worker=worker,
            epoch=grant.epoch,
            queued=State.QUEUED.value,
            in_session=_IN_SESSION.value,
        )
        if row is None or row.too_late:
            raise _NotMine
        await record(
            tx,
            payment_id,
            Event.CLAIMED,
            _IN_SESSION,
            {"worker": worker, "epoch": grant.epoch, "terminal_address": grant.address},
        )
        return _claimed(row, grant)

    try:
        return await database.write(work)
    except _NotMine:
        seen = await database.read(lambda tx: _why_not(tx, payment_id))
        # The deadline can't be in the future again: what is queued with a free line had passed it.
        return DeadlinePassed() if seen is None else seen


async def read_back(database: Database, payment_id: str, token: str) -> Claimed | None:
    """After a commit whose answer was lost: mine only if the line carries this run's token.

    The database may still be at that commit: its lock on the line is waited for, so that None is final.
    Raises DatabaseUnavailable, CommitUnknown: read back again.
    """

    async def look(tx: Transaction) -> Claimed | None:
        await locks.lock_of_payment(tx, payment_id)
        grant = await locks.granted_with(tx, payment_id, token)
        return None if grant is None else await claimed_as(tx, grant)

    return await database.write(look)


async def claimed_as(tx: Transaction, grant: locks.LockGrant) -> Claimed:
    """Return the payment that holds a taken line, with what its terminal is spoken to with."""
    row = await tx.one(_CLAIMED, payment_id=grant.payment_id)
    assert row is not None, "the line is held by it"
    return _claimed(row, grant)


def _claimed(row: Row[Any], grant: locks.LockGrant) -> Claimed:
    return Claimed(payment_of(row), grant, row.profile, row.pos_number, row.traceparent)


async def _why_not(tx: Transaction, payment_id: str) -> DeadlinePassed | NotQueued | None:
    row = await tx.one(_STATE, payment_id=payment_id)
    if row is None:
        return NotQueued(None, None)
    if row.state != State.QUEUED:
        return NotQueued(State(row.state), row.reply_to)
    return DeadlinePassed() if row.deadline_passed else None


async def expire(database: Database, payment_id: str) -> Payment | None:
    """End a queued payment whose deadline has passed; None: it is not one, or not any more.

    The reason is `held` if another payment held the line at that moment, else `no_worker`.
    """

    async def work(tx: Transaction) -> Payment | None:
        held_by, taken_at = await locks.lock_of_payment(tx, payment_id)
        if await tx.one(_DEADLINE_PASSED, payment_id=payment_id, queued=State.QUEUED.value) is None:
            return None
        reason = Reason.NO_WORKER if held_by is None else Reason.HELD
        detail = {} if held_by is None else {"held_by": held_by}
        return await move(
            tx,
            payment_id,
            State.QUEUED,
            Event.DEADLINE_PASSED,
            reason=reason,
            held_since=None if held_by is None else taken_at,
            detail=detail,
        )

    return await database.write(work)


async def cancel(
    database: Database, payment_id: str, reason: Reason, detail: dict[str, object] | None = None
) -> Payment | None:
    """Stop a payment while it is queued; None: it is queued no more (a worker that claimed it wins)."""

    async def work(tx: Transaction) -> Payment | None:
        return await move(tx, payment_id, State.QUEUED, Event.CANCELLED, reason=reason, detail=detail)

    return await database.write(work)
