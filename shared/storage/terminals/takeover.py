"""Takeover of the terminal locks of dead workers.

A worker is stale when its counter stood still for an observer. The takeover names the counter that was read,
and reads it again as its last step, so that a worker that woke meanwhile keeps its locks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.payment.payment import Payment, Reason
from shared.payment.states import Event, State
from shared.runtime.ids import is_payment_id
from shared.storage.db.engine import Database, Row, Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments import claims
from shared.storage.payments.ending import move
from shared.storage.payments.rows import OPEN
from shared.storage.terminals import locks
from shared.storage.terminals.heartbeats import Heartbeats

_HELD = Statement(
    "SELECT address, worker, epoch, claim FROM terminal_locks WHERE held_by IS NOT NULL AND worker IS NOT"
    " NULL"
)

_LOCK = Statement(
    "SELECT address FROM terminal_locks WHERE address = :address AND epoch = :epoch AND worker = :dead"
    " {for_update}"
)

_TAKE_OVER = Statement(
    "UPDATE terminal_locks SET worker = :worker, epoch = epoch + 1, claim = :token, acquired_at = {now},"
    " lease_until = {now} + :lease_ms WHERE address = :address AND epoch = :epoch AND worker = :dead"
    " RETURNING address, epoch, echoes, identifies, identify_first, held_by"
)

_GRANTED_WITH = Statement(
    "SELECT address, epoch, echoes, identifies, identify_first, held_by FROM terminal_locks"
    " WHERE address = :address AND claim = :token {for_update}"
)

#: Payments in session that do not hold their terminal's lock: there should be none. A payment's address never
#: changes, so that one row is looked at for each.
_ORPHANS = Statement(
    f"SELECT id FROM payments WHERE {OPEN} AND state = 'in_session'"
    " AND NOT EXISTS (SELECT 1 FROM terminal_locks WHERE terminal_locks.address = payments.terminal_address"
    " AND terminal_locks.held_by = payments.id)"
)


@dataclass(frozen=True, slots=True)
class HeldLock:
    """A held terminal lock, with its owner's token."""

    address: str
    worker: str
    epoch: int
    token: str


@dataclass(frozen=True, slots=True)
class TakenOver:
    """A lock that was taken over; `claimed` is its payment, in doubt or final; None: a probe held it."""

    grant: locks.LockGrant
    claimed: claims.Claimed | None


async def held_locks(database: Database) -> Sequence[HeldLock]:
    """Return the held locks of all workers.

    Read them before the counters: a worker's row is older than its first claim, so a lock whose worker has no
    row then belongs to a dead one.
    """
    rows = await database.read(lambda tx: tx.all(_HELD))
    return [HeldLock(row.address, row.worker, row.epoch, row.claim) for row in rows]


async def take_over(
    database: Database,
    heartbeats: Heartbeats,
    lock: HeldLock,
    *,
    seen_counter: int | None,
    worker: str,
    token: str,
    lease_seconds: float,
) -> TakenOver | None:
    """Take over the lock of a stale worker; its payment in session becomes in doubt. None: it woke meanwhile.

    `seen_counter` is the counter that stood still, None where the worker had no row. Raises
    DatabaseUnavailable, CommitUnknown.
    """

    async def work(tx: Transaction) -> TakenOver | None:
        found = await _lock(tx, lock)
        # The counter is read last, over the heartbeats' own connection, while the row is locked.
        if found is None or await heartbeats.counter(lock.worker) != seen_counter:
            return None
        return await _take(tx, lock, worker=worker, token=token, lease_seconds=lease_seconds)

    return await database.write(work)


async def take_back(
    database: Database, lock: HeldLock, *, token: str, lease_seconds: float
) -> TakenOver | None:
    """Take over an orphaned lock of the worker itself; its payment in session becomes in doubt.

    None: it was released meanwhile. Raises DatabaseUnavailable, CommitUnknown.
    """

    async def work(tx: Transaction) -> TakenOver | None:
        if await _lock(tx, lock) is None:
            return None
        return await _take(tx, lock, worker=lock.worker, token=token, lease_seconds=lease_seconds)

    return await database.write(work)


async def _lock(tx: Transaction, lock: HeldLock) -> Row | None:
    return await tx.one(_LOCK, address=lock.address, epoch=lock.epoch, dead=lock.worker)


async def _take(
    tx: Transaction, lock: HeldLock, *, worker: str, token: str, lease_seconds: float
) -> TakenOver:
    row = await tx.one(
        _TAKE_OVER,
        address=lock.address,
        epoch=lock.epoch,
        dead=lock.worker,
        worker=worker,
        token=token,
        lease_ms=int(lease_seconds * 1000),
    )
    assert row is not None, "the row is locked by this transaction"
    if is_payment_id(row.held_by):
        await move(
            tx,
            row.held_by,
            State.IN_SESSION,
            Event.OUTCOME_LOST,
            reason=Reason.WORKER_LOST,
            detail={"worker": lock.worker, "taken_over_by": worker, "epoch": row.epoch},
        )
    return await _taken_over(tx, row, token)


async def read_back(database: Database, address: str, token: str) -> TakenOver | None:
    """Return the takeover of a commit whose answer was lost, found by its token; None: it failed."""

    async def look(tx: Transaction) -> TakenOver | None:
        # The row's lock is waited for, so that None is final.
        row = await tx.one(_GRANTED_WITH, address=address, token=token)
        return None if row is None else await _taken_over(tx, row, token)

    return await database.write(look)


async def _taken_over(tx: Transaction, row: Row, token: str) -> TakenOver:
    grant = locks.grant_of(row, token, row.held_by)
    return TakenOver(grant, await claims.claimed_as(tx, grant) if is_payment_id(row.held_by) else None)


async def orphans(database: Database) -> list[str]:
    """Return the payments in session that hold no terminal lock; there should be none."""
    return [row.id for row in await database.read(lambda tx: tx.all(_ORPHANS))]


async def doubt_orphan(database: Database, payment_id: str) -> Payment | None:
    """Doubt an orphaned payment in session; None: it is no longer in session."""

    async def work(tx: Transaction) -> Payment | None:
        await locks.mark_of_payment(tx, payment_id, State.IN_SESSION)
        return await move(
            tx,
            payment_id,
            State.IN_SESSION,
            Event.OUTCOME_LOST,
            reason=Reason.WORKER_LOST,
            detail={"orphan": True},
        )

    return await database.write(work)
