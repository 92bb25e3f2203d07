"""Claims of queued payments by workers, and the ways in which a queued payment ends: expire, cancel."""

from dataclasses import dataclass
from typing import Final

from shared.payment.payment import Payment, Reason
from shared.payment.states import Event, State, apply
from shared.storage.db.engine import Database, Row, Transaction
from shared.storage.db.statement import Statement
from shared.storage.functions.claim_function import CALL_CLAIM
from shared.storage.functions.function import NO_LIMIT, call
from shared.storage.payments.ending import move
from shared.storage.payments.rows import payment_of, record
from shared.storage.terminals import locks

_IN_SESSION: Final = apply(State.QUEUED, Event.CLAIMED)

#: The payment's half of the claim, after its terminal lock was acquired in the same transaction. RETURNING
#: reads the deadline again: WHERE may have been evaluated before the row's lock was waited for.
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
    """A claimed payment: it is in session under this run's terminal lock, and no byte has been sent yet."""

    payment: Payment
    grant: locks.LockGrant
    #: JSON of the Concert profile's settings, as they were at acceptance.
    profile: str
    pos_number: str
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class LockHeld:
    """A payment that waits: another holds the terminal lock, and its release publishes this one again."""


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """A payment that is still queued past its deadline: it has to be expired."""


@dataclass(frozen=True, slots=True)
class NotQueued:
    """A payment that is no longer queued; `state` is None where no such payment is stored."""

    state: State | None
    reply_to: str | None


Claim = Claimed | LockHeld | DeadlinePassed | NotQueued


class _NotClaimable(Exception):
    """Raised to roll back the acquired lock of a payment that is not queued or past its deadline."""


async def claim(
    database: Database, payment_id: str, *, worker: str, token: str, lease_seconds: float
) -> Claim:
    """Acquire the terminal lock, then claim the payment, in one transaction.

    `lease_seconds` is stored for display. Raises DatabaseUnavailable, CommitUnknown; after the latter
    `read_back` returns the claim if it was committed.
    """
    row = await call(
        database,
        CALL_CLAIM,
        is_alone=False,
        places=NO_LIMIT,
        payment_id=payment_id,
        worker=worker,
        token=token,
        lease_ms=int(lease_seconds * 1000),
    )
    if row is not None:
        return _claimed(row, locks.grant_of(row, token, payment_id))
    return await _claim_by_statements(
        database, payment_id, worker=worker, token=token, lease_seconds=lease_seconds
    )


async def _claim_by_statements(
    database: Database, payment_id: str, *, worker: str, token: str, lease_seconds: float
) -> Claim:

    async def work(tx: Transaction) -> Claim:
        grant = await locks.acquire(tx, payment_id, worker=worker, token=token, lease_seconds=lease_seconds)
        if grant is None:
            refusal = await _refusal(tx, payment_id)
            return LockHeld() if refusal is None else refusal
        row = await tx.one(
            _CLAIM,
            payment_id=payment_id,
            worker=worker,
            epoch=grant.epoch,
            queued=State.QUEUED.value,
            in_session=_IN_SESSION.value,
        )
        if row is None or row.too_late:
            raise _NotClaimable
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
    except _NotClaimable:
        refusal = await database.read(lambda tx: _refusal(tx, payment_id))
        # Queued with a free lock: it was refused because its deadline had passed.
        return DeadlinePassed() if refusal is None else refusal


async def read_back(database: Database, payment_id: str, token: str) -> Claimed | None:
    """Return the claim of a commit whose answer was lost, found by the run's token; None: it failed.

    The database may still be committing: the row of the terminal lock is waited for, so that None is final.
    Raises DatabaseUnavailable, CommitUnknown: read back again.
    """

    async def look(tx: Transaction) -> Claimed | None:
        await locks.lock_of_payment(tx, payment_id)
        grant = await locks.granted_with(tx, payment_id, token)
        return None if grant is None else await claimed_as(tx, grant)

    return await database.write(look)


async def claimed_as(tx: Transaction, grant: locks.LockGrant) -> Claimed:
    """Return the claim of the payment that holds a granted lock."""
    row = await tx.one(_CLAIMED, payment_id=grant.payment_id)
    assert row is not None, "it holds the lock"
    return _claimed(row, grant)


def _claimed(row: Row, grant: locks.LockGrant) -> Claimed:
    return Claimed(payment_of(row), grant, row.profile, row.pos_number, row.traceparent)


async def _refusal(tx: Transaction, payment_id: str) -> DeadlinePassed | NotQueued | None:
    row = await tx.one(_STATE, payment_id=payment_id)
    if row is None:
        return NotQueued(None, None)
    if row.state != State.QUEUED:
        return NotQueued(State(row.state), row.reply_to)
    return DeadlinePassed() if row.deadline_passed else None


async def expire(database: Database, payment_id: str) -> Payment | None:
    """End a queued payment whose deadline has passed; None: it is not queued, or has time left.

    The reason is `held` if another payment held the terminal lock at that moment, else `no_worker`.
    """

    async def work(tx: Transaction) -> Payment | None:
        held_by, acquired_at = await locks.lock_of_payment(tx, payment_id)
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
            held_since=None if held_by is None else acquired_at,
            detail=detail,
        )

    return await database.write(work)


async def cancel(
    database: Database, payment_id: str, reason: Reason, detail: dict[str, object] | None = None
) -> Payment | None:
    """Cancel a queued payment; None: it is no longer queued, a claim that came first wins."""

    async def work(tx: Transaction) -> Payment | None:
        return await move(tx, payment_id, State.QUEUED, Event.CANCELLED, reason=reason, detail=detail)

    return await database.write(work)
