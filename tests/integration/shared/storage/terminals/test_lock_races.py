"""Two processes at once at one terminal lock."""

import asyncio

import pytest
from payments import change, holder, in_session, next_payment, queued, settle, try_claim
from races.crossing import crossed
from races.interleaving import (
    eventually,
    finished_or_blocked,
    locked,
    outcome_of,
    paused_before,
    paused_before_commit,
    running,
)

from shared.payment.payment import Reason
from shared.payment.states import State
from shared.storage.db.engine import Database
from shared.storage.db.statement import Statement
from shared.storage.functions.settle_function import CALL_SETTLE
from shared.storage.payments import queue
from shared.storage.payments.claims import (
    Claimed,
    DeadlinePassed,
    LockHeld,
    NotQueued,
    cancel,
    expire,
    read_back,
)

LOCK_TERMINAL = Statement("SELECT address FROM terminal_locks {for_update}")
LOCK_PAYMENT = Statement("SELECT id FROM payments WHERE id = :id {for_update}")


async def test_two_payments_at_once_get_one_session(one: Database, two: Database) -> None:
    """The second claim waits for the first's commit and then finds the lock held."""
    first, second = await queued(one, order_id="a"), await queued(one, order_id="b")

    claims = await crossed(two, paused_before_commit(one), try_claim(one, first), try_claim(two, second))

    assert [type(claim) for claim in claims] == [Claimed, LockHeld]
    assert await holder(one) == first


async def test_one_message_delivered_twice_at_once_is_one_session(one: Database, two: Database) -> None:
    """The second run finds the payment in session, and only the first's token is in the lock."""
    payment_id = await queued(one)

    claimed, other = await crossed(
        two,
        paused_before_commit(one),
        try_claim(one, payment_id, "token-a"),
        try_claim(two, payment_id, "token-b"),
    )

    assert isinstance(claimed, Claimed)
    assert other == NotQueued(State.IN_SESSION, "reply.api-1")
    assert await read_back(one, payment_id, "token-b") is None


async def test_a_claim_wins_over_an_expiry_that_waited(one: Database, two: Database) -> None:
    """The deadline passes while the claim commits: the session runs and nothing expires."""
    payment_id = await queued(one, deadline_seconds=0.3)
    with paused_before_commit(one) as pause:
        async with running(try_claim(one, payment_id)) as claiming:
            await pause.reached()
            await _until_deadline(two)
            async with running(expire(two, payment_id)) as expiring:
                assert await finished_or_blocked(two, expiring)
                pause.go()
                assert isinstance(await outcome_of(claiming), Claimed)
                assert await outcome_of(expiring) is None


async def test_a_claim_wins_over_a_cancellation_that_waited(one: Database, two: Database) -> None:
    """The cancellation is refused, since the payment is running."""
    payment_id = await queued(one)

    claimed, cancelled = await crossed(
        two, paused_before_commit(one), try_claim(one, payment_id), cancel(two, payment_id, Reason.CALLER)
    )

    assert isinstance(claimed, Claimed)
    assert cancelled is None


@pytest.mark.parametrize("end", [State.EXPIRED, State.CANCELLED])
async def test_an_end_wins_over_a_claim_that_waited(one: Database, two: Database, end: State) -> None:
    """The claim finds the payment expired or cancelled, and rolls back the lock that it had acquired."""
    payment_id = await queued(one, deadline_seconds=0 if end is State.EXPIRED else 30)
    ending = expire(one, payment_id) if end is State.EXPIRED else cancel(one, payment_id, Reason.CALLER)

    ended, claim = await crossed(two, paused_before_commit(one), ending, try_claim(two, payment_id))

    assert ended is not None
    assert claim == NotQueued(end, "reply.api-1")
    assert await holder(one) is None


async def _until_deadline(database: Database) -> None:
    await eventually(lambda: queue.deadlines_passed(database, most=1))


@pytest.mark.parametrize("waits_for", ["terminal", "payment"])
async def test_a_claim_that_waited_past_the_deadline_changes_nothing(
    one: Database, two: Database, waits_for: str
) -> None:
    """The time is read after both rows were waited for, even where their holder changed nothing."""
    payment_id = await queued(one, deadline_seconds=0.3)
    lock = locked(one, LOCK_TERMINAL) if waits_for == "terminal" else locked(one, LOCK_PAYMENT, id=payment_id)
    async with lock:
        claiming = asyncio.create_task(try_claim(two, payment_id))
        assert await finished_or_blocked(two, claiming)
        await _until_deadline(one)

    assert isinstance(await outcome_of(claiming), DeadlinePassed)
    assert await holder(one) is None


@pytest.mark.parametrize("where", ["before the release", "before its commit"])
async def test_a_payment_that_found_the_lock_held_just_before_its_release_is_found(
    one: Database, two: Database, where: str
) -> None:
    """Stored and refused after the releasing run began: the next payment is read after the commit."""
    claimed = await in_session(one, order_id="a")
    address = claimed.grant.address
    before_release = where == "before the release"
    with paused_before(one, CALL_SETTLE.alone) if before_release else paused_before_commit(one) as pause:
        async with running(settle(one, claimed)) as release:
            await pause.reached()
            assert await next_payment(two, address) is None
            second = await queued(two, order_id="b")
            assert isinstance(await outcome_of(try_claim(two, second)), LockHeld)
            pause.go()
            await outcome_of(release)

    found = await next_payment(one, address)
    assert found is not None
    assert found.payment_id == second
    assert isinstance(await try_claim(one, second), Claimed)


async def test_expiry_reads_the_holder_under_the_lock_of_its_row(one: Database, two: Database) -> None:
    """The lock is released while the expiry waits for its row: the reason is not 'held'."""
    claimed = await in_session(one, order_id="a")
    late = await queued(one, order_id="b", deadline_seconds=0)

    _, expired = await crossed(two, paused_before_commit(one), settle(one, claimed), expire(two, late))

    assert expired is not None
    assert (expired.reason, expired.held_since) == (Reason.NO_WORKER, None)


async def test_a_claim_that_is_still_committing_is_read_back(one: Database, two: Database) -> None:
    """The server has not finished it: reading back nothing would leave an orphaned lock."""
    payment_id = await queued(one)

    claimed, found = await crossed(
        two,
        paused_before_commit(one),
        try_claim(one, payment_id, "token-a"),
        read_back(two, payment_id, "token-a"),
        waits=None,
    )

    assert found == claimed


async def test_a_claim_of_an_old_epoch_cannot_release_the_next_lock(one: Database, two: Database) -> None:
    """A late release waits for the takeover's commit and then finds another epoch and token."""
    claimed = await in_session(one)
    taken = "UPDATE terminal_locks SET epoch = epoch + 1, claim = 'taker', worker = 'worker-2'"

    _, payment = await crossed(two, paused_before_commit(one), change(one, taken), settle(two, claimed))

    assert payment.state is State.IN_SESSION, "it is kept as a proof until the taker doubts"
    assert await holder(one) == claimed.payment.id


async def test_sweeps_at_once_publish_a_payment_once(one: Database, two: Database) -> None:
    """The mark is a compare-and-set on the count that was read."""
    await queued(one)
    await change(one, "UPDATE payments SET published_at = published_at - 60000")
    (seen,) = await queue.overdue(one, after_seconds=10, most=10)

    marked = await crossed(
        two, paused_before_commit(one), queue.mark_published(one, seen), queue.mark_published(two, seen)
    )

    assert marked == (True, False)


async def test_a_claim_locks_the_terminal_before_the_payment(one: Database, two: Database) -> None:
    """Rows are locked in one order, so that a claim that waits for the terminal keeps no payment locked."""
    payment_id = await queued(one)
    async with locked(one, LOCK_TERMINAL):
        claiming = asyncio.create_task(try_claim(two, payment_id))
        assert await finished_or_blocked(two, claiming)
        async with locked(one, LOCK_PAYMENT, id=payment_id):
            pass

    assert isinstance(await outcome_of(claiming), Claimed)
