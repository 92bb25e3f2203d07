"""Reads for those who wait: one payment, many states, a line's next payment, what the sweep looks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row

from shared.payment.answers import ResponseSpec, response_for
from shared.payment.payment import Payment
from shared.payment.states import State
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments.rows import payment_of

_GET = Statement("SELECT {payment} FROM payments WHERE id = :payment_id")

#: Payments, how old their doubt is by the database's clock, whether their lines are still held for them, and
#: whether a later attempt counts.
_SEEN = Statement(
    "SELECT {payment}, {now} - doubted_at AS doubt_ms, EXISTS (SELECT 1 FROM terminal_locks"
    " WHERE terminal_locks.address = payments.terminal_address AND terminal_locks.held_by = payments.id)"
    " AS terminal_is_locked,"
    " {another_blocks} AS another_blocks FROM payments WHERE id {in_ids}"
)

#: By primary key only: one statement for all waiters of a process.
_STATES = Statement("SELECT id, state FROM payments WHERE id {in_ids}")

#: Each merchant's oldest payment that waits for the line and whose deadline has not passed. Run after the
#: commit that freed the line: before it, a payment that was refused the line an instant ago might not be
#: seen.
_FIRST_OF_MERCHANTS = Statement(
    "SELECT merchant_id, id, reply_to FROM (SELECT merchant_id, id, reply_to, created_at, row_number() OVER"
    " (PARTITION BY merchant_id ORDER BY created_at, id) AS place FROM payments WHERE terminal_address ="
    " :terminal_address"
    " AND state = 'queued' AND deadline_at > {now}) AS waiting WHERE place = 1 ORDER BY created_at, id"
)

#: When each of these merchants last had the line; those who had it long ago are left out.
_LAST_TURNS = Statement(
    "SELECT merchant_id, max(claimed_at) AS had_at FROM payments WHERE merchant_id {in_ids}"
    " AND created_at > {now} - :memory_ms AND terminal_address = :terminal_address AND claimed_at IS NOT"
    " NULL GROUP BY merchant_id"
)

#: Longer than a payment waits and then holds its line.
_TURN_MEMORY_MS: Final = 600_000

#: Queued payments on free lines that were published long ago: after 10 s, then 20 s, 40 s, ...
_OVERDUE = Statement(
    "SELECT p.id, p.reply_to, p.publish_count FROM payments p JOIN terminal_locks l ON l.address ="
    " p.terminal_address"
    " WHERE p.state = 'queued' AND p.deadline_at > {now} AND l.held_by IS NULL"
    " AND p.published_at <= {now} - CAST(:after_ms AS BIGINT) * (1 << (CASE WHEN p.publish_count > 16 THEN 16"
    " ELSE p.publish_count END - 1))"
    " ORDER BY p.created_at, p.id LIMIT :most"
)

#: Mark one as published again, only if nobody else did since it was seen.
_REPUBLISH = Statement(
    "UPDATE payments SET published_at = {now}, publish_count = publish_count + 1"
    " WHERE id = :payment_id AND state = 'queued' AND publish_count = :publish_count RETURNING id"
)

_DEADLINES_PASSED = Statement(
    "SELECT id FROM payments WHERE state = 'queued' AND deadline_at <= {now} ORDER BY deadline_at LIMIT :most"
)

#: What waits, for the API's admission: a line is one merchant's or another's, so both sums come from it.
_QUEUED = Statement(
    "SELECT p.merchant_id, p.terminal_address, count(*) AS number, min(p.created_at) AS oldest, l.held_by,"
    " l.answered_at,"
    " {now} AS now FROM payments p JOIN terminal_locks l ON l.address = p.terminal_address"
    " WHERE p.state = 'queued' GROUP BY p.merchant_id, p.terminal_address, l.held_by, l.answered_at"
)

_OPEN = Statement(
    "SELECT merchant_id, count(*) AS number FROM payments WHERE state IN ('queued', 'in_session', 'in_doubt')"
    " GROUP BY merchant_id"
)

_COUNTS = Statement(
    "SELECT state, count(*) AS number, min(COALESCE(claimed_at, created_at)) AS oldest, {now} AS now"
    " FROM payments WHERE state IN ('queued', 'in_session', 'in_doubt') GROUP BY state"
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A queued payment to publish: its id and the reply queue that its message names."""

    payment_id: str
    reply_to: str | None
    publish_count: int = 1


@dataclass(frozen=True, slots=True)
class PaymentSnapshot:
    """A payment as it is now, for somebody who waits for its outcome."""

    payment: Payment
    #: By the database's clock; 0 where it never was in doubt.
    doubt_age_seconds: float
    #: Whoever holds the line for it may still settle it.
    terminal_is_locked: bool
    #: Another attempt of its operation counts; none does in the transaction that ends a payment.
    another_attempt_blocks: bool = False

    @property
    def told(self) -> ResponseSpec:
        """What its caller is told now."""
        return response_for(self.payment, another_attempt_blocks=self.another_attempt_blocks)

    @property
    def resolving(self) -> bool | None:
        """Whether anything may still settle it by itself; None once it is settled."""
        if self.payment.is_final:
            return None
        return self.terminal_is_locked or self.payment.state is not State.IN_DOUBT


@dataclass(frozen=True, slots=True)
class QueuedCount:
    """Number of payments of one merchant that wait for one line.

    `worker_seconds`: how long one that is the only one has waited for a worker, its line being free; else 0.
    Of several, the next one's wait begins when the line is freed, which is not known.
    """

    merchant_id: str
    terminal_address: str
    number: int
    worker_seconds: float


@dataclass(frozen=True, slots=True)
class OpenCount:
    """How many payments are in an open state, and the age of the oldest in seconds."""

    number: int
    oldest_seconds: float


async def payment(database: Database, payment_id: str) -> Payment | None:
    row = await database.read(lambda tx: tx.one(_GET, payment_id=payment_id))
    return None if row is None else payment_of(row)


async def snapshots(database: Database, payment_ids: Sequence[str]) -> dict[str, PaymentSnapshot]:
    """Return the payments with what their waiting callers are told of their doubt, in one statement."""
    rows = await database.read(lambda tx: tx.all_of(_SEEN, payment_ids))
    return {
        row.id: PaymentSnapshot(
            payment_of(row),
            max(0, row.doubt_ms or 0) / 1000,
            terminal_is_locked=bool(row.terminal_is_locked),
            another_attempt_blocks=bool(row.another_blocks),
        )
        for row in rows
    }


async def queued_counts(database: Database) -> list[QueuedCount]:
    """Count the waiting payments by merchant and line, in one statement."""
    rows = await database.read(lambda tx: tx.all(_QUEUED))
    return [
        QueuedCount(row.merchant_id, row.terminal_address, row.number, _worker_seconds(row)) for row in rows
    ]


def _worker_seconds(row: Row[Any]) -> float:
    if row.held_by is not None or row.number > 1:
        return 0.0
    # The terminal's last answer freed the line: until then it was not a worker that was waited for.
    return float(max(0, row.now - max(row.oldest, row.answered_at or 0)) / 1000)


async def open_numbers(database: Database) -> dict[str, int]:
    """Count each merchant's payments that are queued, in session or in doubt, in one statement."""
    rows = await database.read(lambda tx: tx.all(_OPEN))
    return {row.merchant_id: row.number for row in rows}


async def states(database: Database, payment_ids: Sequence[str]) -> dict[str, State]:
    """Return the state of each payment, in one statement."""
    rows = await database.read(lambda tx: tx.all_of(_STATES, payment_ids))
    return {row.id: State(row.state) for row in rows}


async def next_for_terminal(database: Database, terminal_address: str) -> Waiting | None:
    """Return the payment to publish after this line was freed; call it after that commit.

    Merchants who wait for a terminal that they share take turns: the next one is the merchant who has not had
    it for the longest time, with its oldest payment.
    """

    async def look(tx: Transaction) -> Waiting | None:
        first = await tx.all(_FIRST_OF_MERCHANTS, terminal_address=terminal_address)
        had_at = {}
        if len(first) > 1:
            merchant_ids = [row.merchant_id for row in first]
            turns = await tx.all_of(
                _LAST_TURNS, merchant_ids, terminal_address=terminal_address, memory_ms=_TURN_MEMORY_MS
            )
            had_at = {row.merchant_id: row.had_at for row in turns}
        chosen = min(first, key=lambda row: had_at.get(row.merchant_id, 0), default=None)
        return None if chosen is None else Waiting(chosen.id, chosen.reply_to)

    return await database.read(look)


async def overdue(database: Database, *, after_seconds: float, most: int) -> list[Waiting]:
    """Return queued payments on free lines whose last publication is too long ago."""
    rows = await database.read(lambda tx: tx.all(_OVERDUE, after_ms=int(after_seconds * 1000), most=most))
    return [Waiting(row.id, row.reply_to, row.publish_count) for row in rows]


async def mark_published(database: Database, waiting: Waiting) -> bool:
    """Compare-and-set before publishing again; False: another process did, or it is queued no more."""

    async def work(tx: Transaction) -> bool:
        row = await tx.one(_REPUBLISH, payment_id=waiting.payment_id, publish_count=waiting.publish_count)
        return row is not None

    return await database.write(work)


async def deadlines_passed(database: Database, *, most: int) -> list[str]:
    rows = await database.read(lambda tx: tx.all(_DEADLINES_PASSED, most=most))
    return [row.id for row in rows]


async def open_counts(database: Database) -> dict[State, OpenCount]:
    """Count the payments that are queued, in session and in doubt."""
    rows = await database.read(lambda tx: tx.all(_COUNTS))
    return {State(row.state): OpenCount(row.number, max(0, row.now - row.oldest) / 1000) for row in rows}
