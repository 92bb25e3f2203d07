"""The feed's positions: in the order of commits, whatever the order of the events' numbers."""

import asyncio

from payments import MERCHANT, change, queued, rows
from races.interleaving import (
    finished_or_blocked,
    locked,
    outcome_of,
    paused_before,
    paused_before_commit,
    running,
)

from shared.payment.payment import Reason
from shared.storage.db.engine import Database
from shared.storage.payments import claims
from shared.storage.retention import after_restore
from shared.storage.webhooks import feed
from shared.storage.webhooks.feed import FeedPage

PLACED = "SELECT number FROM events WHERE position IS NOT NULL"


async def event(database: Database) -> str:
    """Cause one event; return its payment's id."""
    payment_id = await queued(
        database, order_id=f"order-{len(await rows(database, 'SELECT id FROM payments'))}"
    )
    assert await claims.cancel(database, payment_id, Reason.CALLER) is not None
    return payment_id


async def read(database: Database, after: int = 0, limit: int = 100) -> FeedPage:
    return await feed.read(database, MERCHANT, after=after, limit=limit)


def of(page: FeedPage) -> list[str | None]:
    return [each.payment_id for each in page.events]


async def test_an_event_that_commits_late_appears_after_the_cursor_given_meanwhile(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """Its transaction began first and got the lower number; a feed by numbers would never show it."""
    late = await queued(postgres_database, order_id="late")
    with paused_before_commit(postgres_database) as pause:
        async with running(claims.cancel(postgres_database, late, Reason.CALLER)) as cancelling:
            await pause.reached()
            early = await event(second_postgres_database)

            meanwhile = await read(second_postgres_database)
            assert of(meanwhile) == [early]

            pause.go()
            await outcome_of(cancelling)
    numbers = {
        row.payment_id: row.number
        for row in await rows(postgres_database, "SELECT payment_id, number FROM events")
    }
    assert numbers[late] < numbers[early]
    assert of(await read(postgres_database, meanwhile.next)) == [late]
    assert of(await read(postgres_database)) == [early, late]


async def test_after_a_restore_no_event_hides_behind_a_cursor_that_is_newer_than_the_backup(
    database: Database,
) -> None:
    """The backup knows fewer positions, or no feed at all; marking twice changes nothing for a reader."""
    await event(database)
    of_backup = await read(database)
    await event(database)
    lost = await read(database, of_backup.next)
    for known in (of_backup.next, None):
        await change(database, "DELETE FROM events WHERE position > :known", known=known or 0)
        await change(database, "UPDATE feeds SET position = :known", known=known or 0)
        if known is None:
            await change(database, "DELETE FROM feeds")

        moment = after_restore.Moment(at=0, failure_hours=0, success_seconds=0)
        for _ in range(2):
            await after_restore.mark(database, moment, by="operator")
        new = await event(database)

        assert new in of(await read(database, lost.next))
        lost = await read(database, lost.next)


async def test_a_reader_does_not_wait_for_another_that_places(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """It reads the events that have a position, and the other's once they are committed.

    An event that is committed meanwhile has a position behind both, whoever gives it.
    """
    first = await event(postgres_database)
    await read(postgres_database)
    second = await event(postgres_database)
    with paused_before(postgres_database, feed._ADVANCE) as pause:
        async with running(read(postgres_database)) as placing:
            await pause.reached()
            third = await event(second_postgres_database)
            async with running(read(second_postgres_database)) as other:
                assert not await finished_or_blocked(second_postgres_database, other)
                meanwhile = await outcome_of(other)
            pause.go()
            assert of(await outcome_of(placing)) == [first, second]

    assert (of(meanwhile), meanwhile.next, meanwhile.has_more) == ([first], 1, False)
    assert of(await read(second_postgres_database, meanwhile.next)) == [second, third]


async def test_two_first_readers_make_one_feed(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """The second waits for the row, and for nothing else."""
    placed = await event(postgres_database)
    with paused_before_commit(postgres_database) as pause:
        async with running(read(postgres_database)) as one:
            await pause.reached()
            async with running(read(second_postgres_database)) as other:
                assert await finished_or_blocked(second_postgres_database, other)
                pause.go()
                await outcome_of(one)
                await outcome_of(other)

    for reading in (postgres_database, second_postgres_database):
        page = await read(reading)
        assert (of(page), page.next) == ([placed], 1)


async def test_readers_at_once_leave_the_pool_to_payments(postgres_database: Database) -> None:
    """As many readers as the pool has connections, while the feed's row is locked: a payment goes on."""
    await event(postgres_database)
    await read(postgres_database)
    await event(postgres_database)
    async with (
        locked(postgres_database, feed._LOCK_IF_FREE, merchant_id=MERCHANT),
        asyncio.TaskGroup() as group,
    ):
        readings = [group.create_task(read(postgres_database)) for _ in range(10)]
        await outcome_of(event(postgres_database))

    assert [reading.result().next for reading in readings] == [1] * 10
    assert len(of(await read(postgres_database))) == 3


async def test_many_writers_and_readers_leave_no_gap_and_no_repeat(
    database: Database, second_database: Database
) -> None:
    """Each reader follows its cursor while events are written, and sees each event once, in one order."""
    done = asyncio.Event()

    async def follow(reading: Database) -> tuple[list[str | None], int]:
        seen: list[str | None] = []
        after = 0
        while True:
            last_look = done.is_set()
            page = await read(reading, after, limit=3)
            seen += of(page)
            after = page.next
            if last_look and not page.events:
                return seen, after
            await asyncio.sleep(0)

    async def write(writing: Database, name: str) -> list[str]:
        payments = [await queued(writing, order_id=f"{name}-{number}") for number in range(10)]
        for payment_id in payments:
            assert await claims.cancel(writing, payment_id, Reason.CALLER) is not None
        return payments

    readers = [asyncio.create_task(follow(each)) for each in (database, second_database, database)]
    written = await asyncio.gather(write(database, "a"), write(second_database, "b"))
    done.set()
    # What one placed while the others looked for the last time, they find with the next look.
    orders = [seen + of(await read(database, after)) for seen, after in await asyncio.gather(*readers)]

    assert orders[0] == orders[1] == orders[2]
    assert sorted(map(str, orders[0])) == sorted(written[0] + written[1])
    positions = await rows(database, "SELECT position FROM events ORDER BY position")
    assert [row.position for row in positions] == list(range(1, 21))


async def test_a_first_reading_costs_one_page_however_long_the_backlog(database: Database) -> None:
    """A first reader after years gets `has_more`; each page gives positions to no more events than it may
    show, and one."""
    payments = [await event(database) for _ in range(8)]

    seen: list[str | None] = []
    after, more, positions = 0, True, 0
    while more:
        page = await read(database, after, limit=2)
        seen += of(page)
        after, more = page.next, page.has_more
        before, positions = positions, len(await rows(database, PLACED))
        assert positions - before <= 3

    assert seen == payments
