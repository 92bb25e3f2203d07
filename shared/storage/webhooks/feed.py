"""The merchant's feed of events, in the order in which they were committed.

An event gets its number when it is written, not when it is committed: a reader that goes by numbers misses
events that are committed late. Positions are given when the feed is read, to committed events, by one reader
at a time, so that no event appears before a position that was shown, and to one page of events at most: a
first reading after years costs no more than any other. Other readers do not wait: they show the events that
have a position, and the next reading shows the rest.
"""

from dataclasses import dataclass

from shared.runtime.resilience import one_of_many
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement

#: An event without a position: most readings find none and write nothing.
_UNPLACED = Statement(
    "SELECT EXISTS (SELECT 1 FROM feeds WHERE merchant_id = :merchant_id) AS has_feed FROM events"
    " WHERE merchant_id = :merchant_id AND position IS NULL LIMIT 1"
)

#: In a transaction of its own: another first reader waits for this row only.
_CREATE = Statement(
    "INSERT INTO feeds (merchant_id, position) VALUES (:merchant_id, 0) ON CONFLICT (merchant_id) DO NOTHING"
)
#: A statement of its own: later statements read what was committed before it. It never waits, since it would
#: keep a connection that a payment may need.
_LOCK_IF_FREE = Statement("SELECT position FROM feeds WHERE merchant_id = :merchant_id {skip_locked}")
_PLACE = Statement(
    "UPDATE events SET position = unplaced.given FROM"
    " (SELECT number, :position + ROW_NUMBER() OVER (ORDER BY number) AS given FROM"
    " (SELECT number FROM events WHERE merchant_id = :merchant_id AND position IS NULL"
    " ORDER BY number LIMIT :most) AS oldest) AS unplaced WHERE events.number = unplaced.number"
)
_ADVANCE = Statement("UPDATE feeds SET position = position + :placed WHERE merchant_id = :merchant_id")

_LAST = Statement("SELECT position FROM feeds WHERE merchant_id = :merchant_id")
#: Past every position that was given after the backup's moment and is not known here: fewer events than
#: milliseconds are placed in a feed.
_PASS_LOST = Statement(
    "INSERT INTO feeds (merchant_id, position) SELECT id, {now} FROM merchants WHERE true"
    " ON CONFLICT (merchant_id) DO UPDATE SET position ="
    " CASE WHEN feeds.position < excluded.position THEN excluded.position ELSE feeds.position END"
)

#: Positions have gaps where old events were purged, and at a restore.
_NEXT = Statement(
    "SELECT position, at FROM events WHERE merchant_id = :merchant_id AND position > :after"
    " ORDER BY position LIMIT 1"
)
_READ = Statement(
    "SELECT number, payment_id, sequence, type, at, body, position FROM events"
    " WHERE merchant_id = :merchant_id AND position > :after ORDER BY position LIMIT :most"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEvent:
    """An event at its position; the other fields are described at `EventRow`."""

    number: int
    payment_id: str | None
    sequence: int
    type: str
    at: int
    body: str
    position: int


@dataclass(frozen=True, slots=True)
class FeedPage:
    """A page of events by position; `next` is the position to continue after."""

    events: list[FeedEvent]
    next: int
    has_more: bool


async def read(database: Database, merchant_id: str, *, after: int, limit: int) -> FeedPage:
    """Return at most `limit` of the merchant's events after a position. Raises DatabaseUnavailable.

    If no positions can be given now, events that have one are returned; a later reading returns the rest.
    """
    # One more than is shown: there is more if it is found.
    most = limit + 1
    placed = 0
    with one_of_many("events not placed in the feed", merchant_id=merchant_id):
        placed = await _placed(database, merchant_id, most)
    rows = await database.read(lambda tx: tx.all(_READ, merchant_id=merchant_id, after=after, most=most))
    events = [FeedEvent(**row._mapping) for row in rows[:limit]]
    return FeedPage(
        events, events[-1].position if events else after, has_more=len(rows) > limit or placed == most
    )


async def position_before(database: Database, merchant_id: str, at: int) -> int:
    """Return the position before the first event of this time or later; `at` is milliseconds since 1970 UTC.

    It halves the feed, so that a long one costs some twenty searches. Raises DatabaseUnavailable.
    """

    async def look(tx: Transaction) -> int:
        feed = await tx.one(_LAST, merchant_id=merchant_id)
        # What is at or before `low` is earlier; what is behind `high` is not.
        low, high = 0, 0 if feed is None else int(feed.position)
        while low < high:
            middle = (low + high) // 2
            found = await tx.one(_NEXT, merchant_id=merchant_id, after=middle)
            if found is None or found.at >= at:
                high = middle
            else:
                low = int(found.position)
        return low

    return await database.read(look)


async def pass_lost_positions(tx: Transaction) -> None:
    """Give later positions after a restore of a backup: a reader's cursor may be newer than the backup.

    Events would get positions before such a cursor, and its reader would never see them.
    """
    await tx.run(_PASS_LOST)


async def _placed(database: Database, merchant_id: str, most: int) -> int:
    """Give positions to the oldest events that have none; return the number of events."""
    unplaced = await database.read(lambda tx: tx.one(_UNPLACED, merchant_id=merchant_id))
    if unplaced is None:
        return 0
    if not unplaced.has_feed:
        await database.write(lambda tx: tx.run(_CREATE, merchant_id=merchant_id))
    return await database.write(lambda tx: _place(tx, merchant_id, most))


async def _place(tx: Transaction, merchant_id: str, most: int) -> int:
    """Give positions to committed events that have none; return their number, 0 if another reader does it."""
    feed = await tx.one(_LOCK_IF_FREE, merchant_id=merchant_id)
    if feed is None:
        return 0
    placed = await tx.run(_PLACE, merchant_id=merchant_id, position=feed.position, most=most)
    if placed:
        await tx.run(_ADVANCE, merchant_id=merchant_id, placed=placed)
    return placed
