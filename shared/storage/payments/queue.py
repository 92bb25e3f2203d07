"""The queue of payments: the next one of a terminal, repeated publications, and counts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.payment.states import State
from shared.storage.db.engine import Database, Row, Transaction
from shared.storage.db.statement import NOW_ONCE, Statement
from shared.storage.investigation.origins import UNKNOWN, Origin, origins_in
from shared.storage.payments.rows import OPEN

#: Each merchant's oldest queued payment of each terminal whose deadline has not passed, and its age. Run
#: after the commits that released the terminal locks: before, a payment that just found its lock held might
#: be missed.
_FIRST_OF_MERCHANTS = Statement(
    "SELECT terminal_address, merchant_id, id, reply_to, age_ms FROM (SELECT terminal_address, merchant_id,"
    f" id, reply_to, created_at, {NOW_ONCE} - created_at AS age_ms, row_number() OVER (PARTITION BY"
    " terminal_address, merchant_id ORDER BY created_at, id) AS place FROM payments WHERE terminal_address"
    f" {{in_ids}} AND state = 'queued' AND deadline_at > {NOW_ONCE}) AS waiting"
    " WHERE place = 1 ORDER BY created_at, id"
)

#: Time of each merchant's last claim of the terminal; claims of long ago are left out.
_LAST_CLAIMS = Statement(
    "SELECT merchant_id, max(claimed_at) AS last_claimed_at FROM payments WHERE merchant_id {in_ids}"
    f" AND created_at > {NOW_ONCE} - :memory_ms AND terminal_address ="
    " :terminal_address AND claimed_at IS NOT"
    " NULL GROUP BY merchant_id"
)

#: Longer than a payment waits and then holds its terminal lock.
_CLAIM_MEMORY_MS: Final = 600_000

#: Queued payments of free terminals that were published 10 s ago; then 20 s, 40 s, ... ago.
_OVERDUE = Statement(
    "SELECT p.id, p.reply_to, p.publish_count FROM payments p JOIN terminal_locks l ON l.address ="
    " p.terminal_address"
    f" WHERE p.state = 'queued' AND p.deadline_at > {NOW_ONCE} AND l.held_by IS NULL"
    f" AND p.published_at <= {NOW_ONCE} - CAST(:after_ms AS BIGINT) * (1 << (CASE"
    " WHEN p.publish_count > 16 THEN 16"
    " ELSE p.publish_count END - 1))"
    " ORDER BY {unindexed}p.created_at, p.id LIMIT :most"
)

#: Compare-and-set: mark one as published again, unless another process did since it was read.
_REPUBLISH = Statement(
    "UPDATE payments SET published_at = {now}, publish_count = publish_count + 1"
    " WHERE id = :payment_id AND state = 'queued' AND publish_count = :publish_count RETURNING id"
)

_DEADLINES_PASSED = Statement(
    f"SELECT id FROM payments WHERE state = 'queued' AND deadline_at <= {NOW_ONCE} ORDER BY deadline_at"
    " LIMIT :most"
)

#: Queued payments by merchant and terminal, for the API's admission.
_QUEUED = Statement(
    "SELECT p.merchant_id, p.terminal_address, count(*) AS number, min(p.created_at) AS oldest, l.held_by,"
    " l.answered_at,"
    " {now} AS now FROM payments p JOIN terminal_locks l ON l.address = p.terminal_address"
    " WHERE p.state = 'queued' GROUP BY p.merchant_id, p.terminal_address, l.held_by, l.answered_at"
)

_OPEN = Statement(f"SELECT merchant_id, count(*) AS number FROM payments WHERE {OPEN} GROUP BY merchant_id")

_COUNTS = Statement(
    "SELECT state, count(*) AS number, {now} - min(CASE state WHEN 'queued' THEN created_at"
    " WHEN 'in_session' THEN claimed_at ELSE doubted_at END) AS oldest_ms"
    f" FROM payments WHERE {OPEN} GROUP BY state"
)


#: The limit lets every plan use the index, and bounds the cost.
_RECENT = Statement(
    "SELECT state, count(*) AS number FROM (SELECT state FROM payments"
    f" WHERE created_at > {NOW_ONCE} - :recent_ms ORDER BY created_at, id LIMIT :most) AS recent"
    " GROUP BY state"
)
#: Of a minute in which 500 a second are accepted.
_RECENT_AT_MOST: Final = 30_000


@dataclass(frozen=True, slots=True)
class OpenCount:
    """The payments in one state that is not final."""

    number: int
    #: Since the oldest of them entered the state.
    oldest_seconds: float


NONE_OPEN: Final = OpenCount(0, 0.0)


@dataclass(frozen=True, slots=True)
class QueuedPayment:
    """A queued payment to publish, with the reply queue that its message names."""

    payment_id: str
    reply_to: str | None
    publish_count: int = 1
    origin: Origin = UNKNOWN


@dataclass(frozen=True, slots=True)
class QueuedCount:
    """The number of one merchant's payments that wait for one terminal.

    `worker_seconds`: wait for a worker of a payment that is the only one and whose terminal is free, else 0:
    of several, the next one's wait begins when the lock is released, which is not known.
    """

    merchant_id: str
    terminal_address: str
    number: int
    worker_seconds: float


async def queued_counts(database: Database) -> list[QueuedCount]:
    """Count the queued payments by merchant and terminal, in one statement."""
    rows = await database.read(lambda tx: tx.all(_QUEUED))
    return [
        QueuedCount(row.merchant_id, row.terminal_address, row.number, _worker_seconds(row)) for row in rows
    ]


def _worker_seconds(row: Row) -> float:
    if row.held_by is not None or row.number > 1:
        return 0.0
    # The terminal's last answer released the lock; before it, the payment did not wait for a worker.
    return float(max(0, row.now - max(row.oldest, row.answered_at or 0)) / 1000)


async def open_numbers(database: Database) -> dict[str, int]:
    """Count each merchant's payments that are queued, in session or in doubt, in one statement."""
    rows = await database.read(lambda tx: tx.all(_OPEN))
    return {row.merchant_id: row.number for row in rows}


async def next_for_terminals(
    database: Database, freed_ms_ago: Mapping[str, Callable[[], int]]
) -> dict[str, QueuedPayment]:
    """Return the payments to publish after terminal locks were released, by terminal address; call it after
    those commits.

    `freed_ms_ago`: for each address the milliseconds since its commit or a later moment, asked when the
    statement is sent, which may have waited for a connection. A payment stored after that commit is left
    out, with 1 ms for rounding: its own message finds the lock free.
    Merchants that share a terminal take turns: the one whose last claim is the oldest is next, with its
    oldest payment.
    """

    async def look(tx: Transaction) -> dict[str, QueuedPayment]:
        freed = {address: ms_ago() for address, ms_ago in freed_ms_ago.items()}
        first: dict[str, list[Row]] = {}
        for row in await tx.all_of(_FIRST_OF_MERCHANTS, list(freed)):
            if row.age_ms >= freed[row.terminal_address] - 1:
                first.setdefault(row.terminal_address, []).append(row)
        chosen = {address: await _next_of(tx, address, rows) for address, rows in first.items()}
        known = await origins_in(tx, [row.id for row in chosen.values()]) if chosen else {}
        return {
            address: QueuedPayment(row.id, row.reply_to, origin=known.get(row.id, UNKNOWN))
            for address, row in chosen.items()
        }

    return await database.read(look)


async def _next_of(tx: Transaction, terminal_address: str, first: Sequence[Row]) -> Row:
    """Return the payment of the merchant whose turn it is, of each merchant's oldest one."""
    claimed_at = {}
    if len(first) > 1:
        last_claims = await tx.all_of(
            _LAST_CLAIMS,
            [row.merchant_id for row in first],
            terminal_address=terminal_address,
            memory_ms=_CLAIM_MEMORY_MS,
        )
        claimed_at = {row.merchant_id: row.last_claimed_at for row in last_claims}
    return min(first, key=lambda row: claimed_at.get(row.merchant_id, 0))


async def overdue(database: Database, *, after_seconds: float, most: int) -> list[QueuedPayment]:
    """Return queued payments of free terminals whose last publication is too long ago."""

    async def look(tx: Transaction) -> list[QueuedPayment]:
        rows = await tx.all(_OVERDUE, after_ms=int(after_seconds * 1000), most=most)
        known = await origins_in(tx, [row.id for row in rows]) if rows else {}
        return [
            QueuedPayment(row.id, row.reply_to, row.publish_count, known.get(row.id, UNKNOWN)) for row in rows
        ]

    return await database.read(look)


async def mark_published(database: Database, queued: QueuedPayment) -> bool:
    """Mark a payment as published again; False: another process did, or it is no longer queued."""

    async def work(tx: Transaction) -> bool:
        row = await tx.one(_REPUBLISH, payment_id=queued.payment_id, publish_count=queued.publish_count)
        return row is not None

    return await database.write(work)


async def deadlines_passed(database: Database, *, most: int) -> list[str]:
    """Return queued payments whose deadline has passed, the longest overdue first."""
    rows = await database.read(lambda tx: tx.all(_DEADLINES_PASSED, most=most))
    return [row.id for row in rows]


async def open_counts(database: Database) -> dict[State, OpenCount]:
    """Count the payments that are queued, in session and in doubt."""
    rows = await database.read(lambda tx: tx.all(_COUNTS))
    return {State(row.state): OpenCount(row.number, max(0, row.oldest_ms or 0) / 1000) for row in rows}


async def recent_counts(database: Database, *, seconds: int) -> dict[State, int]:
    """Count the payments of so many last seconds by their state now, 30,000 at most."""
    rows = await database.read(lambda tx: tx.all(_RECENT, recent_ms=seconds * 1000, most=_RECENT_AT_MOST))
    return {State(row.state): int(row.number) for row in rows}
