"""A person asks for a line sooner than its hold ends: the request waits in the line's row for its holder."""

from dataclasses import dataclass

from shared.payment.states import State
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments.ending import get
from shared.storage.payments.rows import record
from shared.storage.terminals.locks import LockGrant

_LOCK = Statement(
    "SELECT held_by, identifies, {now} - taken_at AS held_ms FROM terminal_locks"
    " WHERE address = (SELECT terminal_address FROM payments WHERE id = :payment_id) {for_update}"
)

_ASK = Statement(
    "UPDATE terminal_locks SET release_for = held_by, release_by = :by, release_asked_at = {now}"
    " WHERE held_by = :payment_id"
)

_ASKED = Statement(
    "SELECT address, epoch, release_for, release_by FROM terminal_locks"
    " WHERE worker = :worker AND release_for IS NOT NULL AND release_for = held_by"
)

_DROP = Statement(
    "UPDATE terminal_locks SET release_for = NULL, release_by = NULL, release_asked_at = NULL"
    " WHERE address = :address AND epoch = :epoch AND claim = :token"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """The holder frees the line at its next heartbeat."""


@dataclass(frozen=True, slots=True)
class TooEarly:
    """A look at the terminal proves nothing yet: the request's bytes could still arrive."""

    seconds_left: float


@dataclass(frozen=True, slots=True)
class NotHeld:
    """The payment holds no line, or is not in doubt."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the holder finds: who asks, for which payment."""

    address: str
    epoch: int
    payment_id: str
    by: str


async def ask(
    database: Database,
    payment_id: str,
    *,
    by: str,
    after_seconds: float,
    excused_after_seconds: float,
) -> Asked | TooEarly | NotHeld:
    """Ask for the line of a payment in doubt; `by` says who, for the history.

    Granted from `after_seconds` after the claim or takeover on, and for a terminal that does not answer
    identifications from `excused_after_seconds` on (the end of the doubt window).
    """

    async def work(tx: Transaction) -> Asked | TooEarly | NotHeld:
        lock = await tx.one(_LOCK, payment_id=payment_id)
        payment = await get(tx, payment_id)
        if lock is None or lock.held_by != payment_id or payment.state is not State.IN_DOUBT:
            return NotHeld()
        excused = lock.identifies is not None and not lock.identifies
        needed = excused_after_seconds if excused else after_seconds
        if lock.held_ms < needed * 1000:
            return TooEarly(needed - lock.held_ms / 1000)
        await tx.run(_ASK, payment_id=payment_id, by=by)
        await record(tx, payment_id, "release_asked", payment.state, {"by": by})
        return Asked()

    return await database.write(work)


async def requests(database: Database, worker: str) -> list[Request]:
    """Return the requests for lines that this worker holds."""
    rows = await database.read(lambda tx: tx.all(_ASKED, worker=worker))
    return [Request(row.address, row.epoch, row.release_for, row.release_by) for row in rows]


async def drop(database: Database, grant: LockGrant) -> None:
    """Forget a request that came too early by the holder's own clock."""
    await database.write(
        lambda tx: tx.run(_DROP, address=grant.address, epoch=grant.epoch, token=grant.token)
    )
