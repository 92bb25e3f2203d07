"""The queue of payments, its snapshots and its counts; the same on both databases."""

from payments import change, in_doubt, in_session, next_payment, queued, refused, settle, try_claim
from stored.merchants import create_merchant

from shared.payment.states import State
from shared.storage.db.engine import Database
from shared.storage.payments import queue, snapshots
from shared.storage.payments.queue import QueuedPayment


async def _published_before(database: Database, payment_id: str, seconds: float, count: int) -> None:
    changed = await change(
        database,
        "UPDATE payments SET published_at = published_at - :ms, publish_count = :count WHERE id = :id",
        ms=int(seconds * 1000),
        count=count,
        id=payment_id,
    )
    assert changed == 1


async def _overdue(database: Database) -> list[str]:
    return [seen.payment_id for seen in await queue.overdue(database, after_seconds=10, most=10)]


async def test_the_next_payment_of_a_terminal_is_the_oldest_queued_one(database: Database) -> None:
    """Not another terminal's, not one whose deadline has passed, not one that has ended."""
    assert await next_payment(database) is None
    await refused(database, order_id="ended")
    await queued(database, order_id="late", deadline_seconds=0)
    await queued(database, order_id="elsewhere", host="127.0.0.10", terminal_address="127.0.0.10:8888")
    oldest = await queued(database, order_id="a", reply_to="reply.api-2")
    await queued(database, order_id="b")

    assert await next_payment(database) == QueuedPayment(oldest, "reply.api-2")


async def test_a_payment_that_was_stored_after_the_release_is_not_published_again(database: Database) -> None:
    """Its own message finds the lock free; one stored before may have found it held."""
    earlier = await queued(database, order_id="earlier")
    await queued(database, order_id="later")

    assert await next_payment(database, freed_ms_ago=60_000) is None
    await change(database, "UPDATE payments SET created_at = created_at - 60000 WHERE id = :id", id=earlier)
    found = await next_payment(database, freed_ms_ago=30_000)
    assert found is not None
    assert found.payment_id == earlier


async def test_terminals_that_are_freed_together_are_looked_at_by_one_statement(database: Database) -> None:
    """Each of them from its own commit on; of one without a payment nothing is said."""
    addresses = [f"127.0.0.{number}:8888" for number in (21, 22, 23, 24)]
    ids = [
        await queued(database, order_id=address, host=address.partition(":")[0], terminal_address=address)
        for address in addresses[:3]
    ]
    await change(database, "UPDATE payments SET created_at = created_at - 60000 WHERE id <> :id", id=ids[2])

    found = await queue.next_for_terminals(
        database, dict.fromkeys(addresses, lambda: 30_000) | {addresses[1]: lambda: 90_000}
    )

    assert found == {addresses[0]: QueuedPayment(ids[0], "reply.api-1")}


async def test_states_are_read_by_one_statement(database: Database) -> None:
    """Each known payment's state; unknown ids are ignored."""
    ids = [await queued(database, order_id="a"), (await refused(database, order_id="b")).id]

    found = await snapshots.states(database, [*ids, "pay_unknown"])

    assert found == {ids[0]: State.QUEUED, ids[1]: State.REFUSED}
    assert await snapshots.states(database, []) == {}


async def test_a_payment_is_published_again_after_ten_seconds_doubling_each_time(database: Database) -> None:
    """A long outage never multiplies messages."""
    payment_id = await queued(database, deadline_seconds=10_000)
    assert await _overdue(database) == []
    await _published_before(database, payment_id, 10.1, count=1)
    (seen,) = await queue.overdue(database, after_seconds=10, most=10)
    assert seen == QueuedPayment(payment_id, "reply.api-1", 1)

    assert await queue.mark_published(database, seen)
    assert not await queue.mark_published(database, seen), "seen before, marked by another meanwhile"

    for count, due_after in ((2, 20), (3, 40), (4, 80)):
        await change(database, "UPDATE payments SET published_at = created_at, publish_count = :c", c=count)
        await _published_before(database, payment_id, due_after - 1, count)
        assert await _overdue(database) == []
        await _published_before(database, payment_id, 1.1, count)
        assert await _overdue(database) == [payment_id]


async def test_even_a_very_long_wait_is_computed(database: Database) -> None:
    """The doubling ends, and its product with a long interval fits."""
    payment_id = await queued(database, deadline_seconds=1_000_000)
    await _published_before(database, payment_id, 0, count=40)

    assert await queue.overdue(database, after_seconds=600, most=10) == []


async def test_a_payment_that_waits_for_a_held_lock_is_not_published(database: Database) -> None:
    """The release of the lock publishes it; late payments and those in session are not published either."""
    await in_session(database, order_id="holds")
    held = await queued(database, order_id="held")
    late = await queued(
        database, order_id="late", deadline_seconds=0, host="127.0.0.10", terminal_address="127.0.0.10:8888"
    )
    for payment_id in (held, late):
        await _published_before(database, payment_id, 60, count=1)

    assert await _overdue(database) == []


async def test_a_payment_that_is_claimed_is_not_marked(database: Database) -> None:
    """Read as queued, claimed by a worker meanwhile: nothing to publish."""
    claimed = await in_session(database)

    assert not await queue.mark_published(database, QueuedPayment(claimed.payment.id, None, 1))


async def test_deadlines_that_passed_are_found_oldest_first_and_few_at_a_time(database: Database) -> None:
    """Only queued payments have a deadline."""
    second = await queued(database, order_id="a", deadline_seconds=-1)
    first = await queued(database, order_id="b", deadline_seconds=-2)
    await queued(database, order_id="c")
    claimed = await in_session(database, order_id="d")
    await change(database, "UPDATE payments SET deadline_at = 0 WHERE id = :id", id=claimed.payment.id)

    assert await queue.deadlines_passed(database, most=10) == [first, second]
    assert await queue.deadlines_passed(database, most=1) == [first]


async def test_open_payments_are_counted_by_state(database: Database) -> None:
    """For the metrics: queued, in session, in doubt; what has ended is not counted; the oldest's age."""
    oldest = await queued(database, order_id="a")
    await change(database, "UPDATE payments SET created_at = created_at - 60000 WHERE id = :id", id=oldest)
    await queued(database, order_id="b")
    await in_doubt(database, order_id="c")
    await refused(database, order_id="d", host="127.0.0.10", terminal_address="127.0.0.10:8888")

    counts = await queue.open_counts(database)

    assert {state: count.number for state, count in counts.items()} == {State.QUEUED: 2, State.IN_DOUBT: 1}
    assert 60 <= counts[State.QUEUED].oldest_seconds < 120
    assert counts[State.IN_DOUBT].oldest_seconds < 60


async def test_an_unknown_payment_is_none(database: Database) -> None:
    """A read of an unknown payment raises nothing."""
    assert await snapshots.payment(database, "pay_unknown") is None


async def test_merchants_who_share_a_terminal_take_turns(database: Database) -> None:
    """The merchant whose last claim is the oldest is next, however many of another's waited before."""
    for name in ("b", "c"):
        await create_merchant(database, name, "A cafe", [])
    flood = [await queued(database, order_id=f"a-{number}") for number in range(4)]
    of_b = [await queued(database, merchant_id="b", order_id=f"b-{number}") for number in range(2)]
    of_c = await queued(database, merchant_id="c", order_id="c-0")

    served = []
    while (found := await next_payment(database)) is not None:
        served.append(found.payment_id)
        claimed = await try_claim(database, found.payment_id)
        await settle(database, claimed)
        # The next one's claim is a moment later, by the database's clock in milliseconds.
        await change(
            database, "UPDATE payments SET claimed_at = claimed_at - 1000 WHERE claimed_at IS NOT NULL"
        )

    assert served == [flood[0], of_b[0], of_c, flood[1], of_b[1], flood[2], flood[3]]
