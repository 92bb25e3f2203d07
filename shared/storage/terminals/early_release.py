"""Early release: an operator's request to end a lease, stored in the row of the terminal lock for its
worker."""

from dataclasses import dataclass

from shared.payment.states import State
from shared.storage.administration import audit_trail
from shared.storage.administration.audit_trail import Action, Actor
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments.ending import get
from shared.storage.payments.rows import record
from shared.storage.terminals.locks import LockGrant

_LOCK = Statement(
    "SELECT held_by, identifies, {now} - acquired_at AS held_ms FROM terminal_locks"
    " WHERE address = (SELECT terminal_address FROM payments WHERE id = :payment_id) {for_update}"
)

_REQUEST = Statement(
    "UPDATE terminal_locks SET release_for = held_by, release_by = :by, release_asked_at = {now}"
    " WHERE held_by = :payment_id"
)

_REQUESTS = Statement(
    "SELECT address, epoch, release_for, release_by FROM terminal_locks"
    " WHERE held_by IS NOT NULL AND worker = :worker AND release_for IS NOT NULL AND release_for = held_by"
)

_DROP = Statement(
    "UPDATE terminal_locks SET release_for = NULL, release_by = NULL, release_asked_at = NULL"
    " WHERE address = :address AND epoch = :epoch AND claim = :token"
)


@dataclass(frozen=True, slots=True)
class Requested:
    """A stored request; the worker releases the lock at its next heartbeat."""


@dataclass(frozen=True, slots=True)
class TooEarly:
    """A request that has to wait: the payment's bytes could still reach the terminal."""

    seconds_left: float


@dataclass(frozen=True, slots=True)
class NotLocked:
    """A payment that is not in doubt, or holds no terminal lock."""


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """A stored request, as the worker of the lock reads it."""

    address: str
    epoch: int
    payment_id: str
    by: str


async def request(
    database: Database,
    payment_id: str,
    *,
    by: str,
    after_seconds: float,
    excused_after_seconds: float,
    operator: Actor | None = None,
) -> Requested | TooEarly | NotLocked:
    """Request the release of the lock of a payment in doubt; `by` goes into the payment's history.

    `operator`: whose request is recorded in the audit trail, too. Accepted once `after_seconds` have passed
    since the claim or takeover; for a terminal that does not answer identifications, `excused_after_seconds`
    (the end of the doubt window).
    """

    async def work(tx: Transaction) -> Requested | TooEarly | NotLocked:
        lock = await tx.one(_LOCK, payment_id=payment_id)
        payment = await get(tx, payment_id)
        if lock is None or lock.held_by != payment_id or payment.state is not State.IN_DOUBT:
            return NotLocked()
        excused = lock.identifies is not None and not lock.identifies
        needed = excused_after_seconds if excused else after_seconds
        if lock.held_ms < needed * 1000:
            return TooEarly(needed - lock.held_ms / 1000)
        await tx.run(_REQUEST, payment_id=payment_id, by=by)
        await record(tx, payment_id, "release_asked", payment.state, {"by": by})
        if operator is not None:
            await audit_trail.record(tx, operator, Action.TERMINAL_ASKED_FOR, payment_id)
        return Requested()

    return await database.write(work)


async def requests(database: Database, worker: str) -> list[ReleaseRequest]:
    """Return the requests for locks of this worker."""
    rows = await database.read(lambda tx: tx.all(_REQUESTS, worker=worker))
    return [ReleaseRequest(row.address, row.epoch, row.release_for, row.release_by) for row in rows]


async def drop(database: Database, grant: LockGrant) -> None:
    """Delete a request that came too early by the worker's own clock."""
    await database.write(
        lambda tx: tx.run(_DROP, address=grant.address, epoch=grant.epoch, token=grant.token)
    )
