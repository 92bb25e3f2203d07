"""Two processes at once at one terminal lock."""

import asyncio

from payments import change, holder, in_session, queued, try_claim
from races.interleaving import (
    eventually,
    finished_or_blocked,
    locked,
    outcome_of,
    paused_before,
    paused_before_commit,
    running,
)

from shared.payment.payment import Reason, Settlement
from shared.payment.states import Event, State
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
from shared.storage.payments.settling import settle
from shared.storage.terminals.locks import ObservedCapabilities

DONE = Settlement(event=Event.ANSWERED_DONE)
LOCK_LINE = Statement("SELECT address FROM terminal_locks {for_update}")
LOCK_PAYMENT = Statement("SELECT id FROM payments WHERE id = :id {for_update}")


async def test_two_payments_at_once_get_one_session(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """The second claim waits for the first's commit and then finds the lock held."""
    first = await queued(postgres_database, order_id="a")
    second = await queued(postgres_database, order_id="b")
    with paused_before_commit(postgres_database) as pause:
        async with running(try_claim(postgres_database, first)) as one:
            await pause.reached()
            async with running(try_claim(second_postgres_database, second)) as other:
                assert await finished_or_blocked(second_postgres_database, other)
                pause.go()
                assert isinstance(await outcome_of(one), Claimed)
                assert isinstance(await outcome_of(other), LockHeld)

    assert await holder(postgres_database) == first


async def test_one_message_delivered_twice_at_once_is_one_session(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """The second run finds the payment in session, and only the first's token is in the lock."""
    payment_id = await queued(postgres_database)
    with paused_before_commit(postgres_database) as pause:
        async with running(try_claim(postgres_database, payment_id, "token-a")) as one:
            await pause.reached()
            async with running(try_claim(second_postgres_database, payment_id, "token-b")) as other:
                assert await finished_or_blocked(second_postgres_database, other)
                pause.go()
                assert isinstance(await outcome_of(one), Claimed)
                assert await outcome_of(other) == NotQueued(State.IN_SESSION, "reply.api-1")

    assert await read_back(postgres_database, payment_id, "token-b") is None


async def test_a_claim_wins_over_an_expiry_that_waited(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """The deadline passes while the claim commits: the session runs and nothing expires."""
    payment_id = await queued(postgres_database, deadline_seconds=0.3)
    with paused_before_commit(postgres_database) as pause:
        async with running(try_claim(postgres_database, payment_id)) as one:
            await pause.reached()
            await _until_deadline(second_postgres_database)
            async with running(expire(second_postgres_database, payment_id)) as other:
                assert await finished_or_blocked(second_postgres_database, other)
                pause.go()
                assert isinstance(await outcome_of(one), Claimed)
                assert await outcome_of(other) is None


async def test_an_expiry_wins_over_a_claim_that_waited(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """The claim finds the payment expired and acquires no lock."""
    payment_id = await queued(postgres_database, deadline_seconds=0)
    with paused_before_commit(postgres_database) as pause:
        async with running(expire(postgres_database, payment_id)) as one:
            await pause.reached()
            async with running(try_claim(second_postgres_database, payment_id)) as other:
                assert await finished_or_blocked(second_postgres_database, other)
                pause.go()
                assert await outcome_of(one) is not None
                assert await outcome_of(other) == NotQueued(State.EXPIRED, "reply.api-1")

    assert await holder(postgres_database) is None


async def test_a_claim_wins_over_a_cancellation_that_waited(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """The cancellation is refused, since the payment is running."""
    payment_id = await queued(postgres_database)
    with paused_before_commit(postgres_database) as pause:
        async with running(try_claim(postgres_database, payment_id)) as one:
            await pause.reached()
            async with running(cancel(second_postgres_database, payment_id, Reason.CALLER)) as other:
                assert await finished_or_blocked(second_postgres_database, other)
                pause.go()
                assert isinstance(await outcome_of(one), Claimed)
                assert await outcome_of(other) is None


async def test_a_cancellation_wins_over_a_claim_that_waited(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """The claim rolls back the lock that it had acquired."""
    payment_id = await queued(postgres_database)
    with paused_before_commit(postgres_database) as pause:
        async with running(cancel(postgres_database, payment_id, Reason.CALLER)) as one:
            await pause.reached()
            async with running(try_claim(second_postgres_database, payment_id)) as other:
                assert await finished_or_blocked(second_postgres_database, other)
                pause.go()
                assert await outcome_of(one) is not None
                assert await outcome_of(other) == NotQueued(State.CANCELLED, "reply.api-1")

    assert await holder(postgres_database) is None


async def _until_deadline(database: Database) -> None:
    await eventually(lambda: queue.deadlines_passed(database, most=1))


async def test_a_claim_that_waited_for_the_lock_past_the_deadline_changes_nothing(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """The time is read after the row of the terminal lock was waited for."""
    payment_id = await queued(postgres_database, deadline_seconds=0.3)
    async with locked(postgres_database, LOCK_LINE):
        claiming = asyncio.create_task(try_claim(second_postgres_database, payment_id))
        assert await finished_or_blocked(second_postgres_database, claiming)
        await _until_deadline(postgres_database)

    assert isinstance(await outcome_of(claiming), DeadlinePassed)
    assert await holder(postgres_database) is None


async def test_a_claim_that_waited_for_the_payment_past_the_deadline_changes_nothing(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """The time is read after the payment's lock was waited for, even where its holder changed nothing."""
    payment_id = await queued(postgres_database, deadline_seconds=0.3)
    async with locked(postgres_database, LOCK_PAYMENT, id=payment_id):
        claiming = asyncio.create_task(try_claim(second_postgres_database, payment_id))
        assert await finished_or_blocked(second_postgres_database, claiming)
        await _until_deadline(postgres_database)

    assert isinstance(await outcome_of(claiming), DeadlinePassed)
    assert await holder(postgres_database) is None


async def test_a_payment_that_found_the_lock_held_just_before_its_release_is_found(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """Stored and refused after the releasing run began: the next payment is read after the commit."""
    claimed = await in_session(postgres_database, order_id="a")
    with paused_before(postgres_database, CALL_SETTLE) as pause:
        settling = settle(postgres_database, claimed.grant, claimed.payment, DONE, ObservedCapabilities())
        async with running(settling) as release:
            await pause.reached()
            assert await queue.next_for_terminal(second_postgres_database, claimed.grant.address) is None
            second = await queued(second_postgres_database, order_id="b")
            assert isinstance(await try_claim(second_postgres_database, second), LockHeld)
            pause.go()
            await outcome_of(release)

    found = await queue.next_for_terminal(postgres_database, claimed.grant.address)
    assert found is not None
    assert found.payment_id == second


async def test_a_payment_that_found_the_lock_held_between_release_and_commit_is_found(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """The claim does not see the uncommitted release; the read after the commit finds the payment."""
    claimed = await in_session(postgres_database, order_id="a")
    with paused_before_commit(postgres_database) as pause:
        settling = settle(postgres_database, claimed.grant, claimed.payment, DONE, ObservedCapabilities())
        async with running(settling) as release:
            await pause.reached()
            assert await queue.next_for_terminal(second_postgres_database, claimed.grant.address) is None
            second = await queued(second_postgres_database, order_id="b")
            assert isinstance(await outcome_of(try_claim(second_postgres_database, second)), LockHeld)
            pause.go()
            await outcome_of(release)

    found = await queue.next_for_terminal(postgres_database, claimed.grant.address)
    assert found is not None
    assert found.payment_id == second
    assert isinstance(await try_claim(postgres_database, second), Claimed)


async def test_expiry_reads_the_holder_under_the_lock_of_its_row(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """The lock is released while the expiry waits for its row: the reason is not 'held'."""
    claimed = await in_session(postgres_database, order_id="a")
    late = await queued(postgres_database, order_id="b", deadline_seconds=0)
    with paused_before_commit(postgres_database) as pause:
        settling = settle(postgres_database, claimed.grant, claimed.payment, DONE, ObservedCapabilities())
        async with running(settling) as release:
            await pause.reached()
            async with running(expire(second_postgres_database, late)) as expiry:
                assert await finished_or_blocked(second_postgres_database, expiry)
                pause.go()
                await outcome_of(release)
                expired = await outcome_of(expiry)

    assert expired is not None
    assert (expired.reason, expired.held_since) == (Reason.NO_WORKER, None)


async def test_a_claim_that_is_still_committing_is_read_back(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """The server has not finished it: reading back nothing would leave an orphaned lock."""
    payment_id = await queued(postgres_database)
    with paused_before_commit(postgres_database) as pause:
        async with running(try_claim(postgres_database, payment_id, "token-a")) as lost:
            await pause.reached()
            async with running(read_back(second_postgres_database, payment_id, "token-a")) as reading:
                await finished_or_blocked(second_postgres_database, reading)
                pause.go()
                claimed = await outcome_of(lost)
                assert await outcome_of(reading) == claimed


async def test_a_claim_of_an_old_epoch_cannot_release_the_next_lock(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """A late release waits for the takeover's commit and then finds another epoch and token."""
    claimed = await in_session(postgres_database)
    takeover = change(
        postgres_database, "UPDATE terminal_locks SET epoch = epoch + 1, claim = 'taker', worker = 'worker-2'"
    )
    with paused_before_commit(postgres_database) as pause:
        async with running(takeover) as grant:
            await pause.reached()
            settling = settle(
                second_postgres_database, claimed.grant, claimed.payment, DONE, ObservedCapabilities()
            )
            async with running(settling) as late:
                assert await finished_or_blocked(second_postgres_database, late)
                pause.go()
                await outcome_of(grant)
                payment = await outcome_of(late)

    assert payment.state is State.IN_SESSION, "it is kept as a proof until the taker doubts"
    assert await holder(postgres_database) == claimed.payment.id


async def test_sweeps_at_once_publish_a_payment_once(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """The mark is a compare-and-set on the count that was read."""
    await queued(postgres_database)
    await change(postgres_database, "UPDATE payments SET published_at = published_at - 60000")
    (seen,) = await queue.overdue(postgres_database, after_seconds=10, most=10)
    with paused_before_commit(postgres_database) as pause:
        async with running(queue.mark_published(postgres_database, seen)) as one:
            await pause.reached()
            async with running(queue.mark_published(second_postgres_database, seen)) as other:
                assert await finished_or_blocked(second_postgres_database, other)
                pause.go()
                assert (await outcome_of(one), await outcome_of(other)) == (True, False)


async def test_a_claim_locks_the_terminal_before_the_payment(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """Rows are locked in one order, so that a claim that waits for the terminal keeps no payment locked."""
    payment_id = await queued(postgres_database)
    async with locked(postgres_database, LOCK_LINE):
        claiming = asyncio.create_task(try_claim(second_postgres_database, payment_id))
        assert await finished_or_blocked(second_postgres_database, claiming)
        async with locked(postgres_database, LOCK_PAYMENT, id=payment_id):
            pass

    assert isinstance(await outcome_of(claiming), Claimed)
