"""Claim, expire, cancel: the same on both databases."""

import pytest
from payments import (
    ADDRESS,
    accepted,
    change,
    history,
    holder,
    in_doubt,
    in_session,
    queued,
    refused,
    rows,
    submit,
    succeeded,
    taken_over,
    try_claim,
)

from shared.payment.payment import Reason
from shared.payment.states import State
from shared.storage.db.engine import Database
from shared.storage.payments import snapshots
from shared.storage.payments.claims import (
    Claimed,
    DeadlinePassed,
    LockHeld,
    NotQueued,
    cancel,
    expire,
    read_back,
)


async def test_a_claim_acquires_the_terminal_lock_and_the_payment(database: Database) -> None:
    """Both rows name the run by epoch, token and worker; the payment's history does, too."""
    payment_id = await queued(database)

    claimed = await try_claim(database, payment_id, "token-a")

    assert isinstance(claimed, Claimed)
    assert claimed.payment.state is State.IN_SESSION
    assert claimed.payment.claimed_at is not None
    assert (claimed.profile, claimed.pos_number) == ("{}", "01")
    (lock,) = await rows(
        database, "SELECT held_by, worker, claim, epoch, acquired_at, lease_until FROM terminal_locks"
    )
    assert tuple(lock)[:4] == (payment_id, "worker-1", "token-a", 1)
    assert lock.lease_until - lock.acquired_at == 335_000
    assert (claimed.grant.address, claimed.grant.epoch, claimed.grant.token) == (ADDRESS, 1, "token-a")
    assert await history(database, payment_id) == [("accepted", State.QUEUED), ("claimed", State.IN_SESSION)]


async def test_a_held_lock_leaves_the_payment_queued(database: Database) -> None:
    """The second payment of a terminal waits; nothing of it changes."""
    first = await in_session(database, order_id="a")
    second = await queued(database, order_id="b")

    assert isinstance(await try_claim(database, second), LockHeld)

    assert await snapshots.states(database, [second]) == {second: State.QUEUED}
    assert await holder(database) == first.payment.id


async def test_a_payment_in_doubt_holds_its_terminal_lock(database: Database) -> None:
    """The terminal's last transaction must stay ours while its outcome is unknown."""
    await in_doubt(database, order_id="a")

    assert isinstance(await try_claim(database, await queued(database, order_id="b")), LockHeld)


async def test_terminals_do_not_wait_for_each_other(database: Database) -> None:
    """Another terminal's payment is claimed at once."""
    await in_session(database, order_id="a")
    elsewhere = await queued(database, order_id="b", host="127.0.0.10", terminal_address="127.0.0.10:8888")

    assert isinstance(await try_claim(database, elsewhere), Claimed)


async def test_a_redelivered_message_finds_its_payment_claimed(database: Database) -> None:
    """While the session runs, and after its end, the lock stays as it is and nothing is sent again."""
    claimed = await in_session(database, order_id="a")
    done = await succeeded(database, order_id="b", host="127.0.0.10", terminal_address="127.0.0.10:8888")

    assert await try_claim(database, claimed.payment.id) == NotQueued(State.IN_SESSION, "reply.api-1")
    assert await try_claim(database, done.id) == NotQueued(State.SUCCEEDED, "reply.api-1")
    assert await holder(database) == claimed.payment.id
    assert await holder(database, "127.0.0.10:8888") is None
    (lock,) = await rows(database, "SELECT epoch FROM terminal_locks WHERE address = '127.0.0.10:8888'")
    assert lock.epoch == 2, "a claim that came to nothing is rolled back"


async def test_a_message_of_a_payment_that_is_not_stored_is_not_queued(database: Database) -> None:
    """A message can outlive a database that was set back."""
    assert await try_claim(database, "pay_unknown") == NotQueued(None, None)


@pytest.mark.parametrize("held", [True, False])
async def test_a_claim_past_the_deadline_changes_nothing(database: Database, held: bool) -> None:
    """Both for a free and for a held lock, the result is that the deadline has passed."""
    if held:
        await in_session(database, order_id="a")
    late = await queued(database, order_id="b", deadline_seconds=0)

    assert isinstance(await try_claim(database, late), DeadlinePassed)

    assert await snapshots.states(database, [late]) == {late: State.QUEUED}
    assert await holder(database) != late


async def test_a_payment_that_waited_for_the_terminal_expires_with_reason_and_start_of_the_lock(
    database: Database,
) -> None:
    """The client gets the information that another payment used the terminal, and its start."""
    first = await in_session(database, order_id="a")
    (lock,) = await rows(database, "SELECT acquired_at FROM terminal_locks")
    late = await queued(database, order_id="b", deadline_seconds=0)

    expired = await expire(database, late)

    assert expired is not None
    assert (expired.state, expired.reason, expired.held_since) == (
        State.EXPIRED,
        Reason.HELD,
        lock.acquired_at,
    )
    assert expired.guard_key is None
    (event,) = await rows(
        database,
        "SELECT detail FROM payment_events WHERE payment_id = :id AND event = 'deadline_passed'",
        id=late,
    )
    assert first.payment.id in event.detail


async def test_a_payment_of_a_free_terminal_expires_for_want_of_a_worker(database: Database) -> None:
    """Its terminal was free, and no worker claimed it."""
    late = await queued(database, deadline_seconds=0)

    expired = await expire(database, late)

    assert expired is not None
    assert (expired.state, expired.reason, expired.held_since) == (State.EXPIRED, Reason.NO_WORKER, None)
    assert await history(database, late) == [("accepted", State.QUEUED), ("deadline_passed", State.EXPIRED)]
    assert accepted(await submit(database))


async def test_only_a_queued_payment_past_its_deadline_expires(database: Database) -> None:
    """Before its deadline, in session and a second time it is left alone."""
    early = await queued(database, order_id="a")
    claimed = await in_session(database, order_id="b")
    await change(database, "UPDATE payments SET deadline_at = 0 WHERE id = :id", id=claimed.payment.id)
    late = await queued(database, order_id="c", deadline_seconds=0)
    assert await expire(database, late) is not None

    assert await expire(database, early) is None
    assert await expire(database, claimed.payment.id) is None
    assert await expire(database, late) is None
    assert await expire(database, "pay_unknown") is None
    assert len(await history(database, late)) == 2


async def test_only_a_queued_payment_can_be_cancelled(database: Database) -> None:
    """A cancellation before the claim succeeds; a claim before it wins."""
    waits = await queued(database, order_id="a")
    claimed = await in_session(database, order_id="b")

    cancelled = await cancel(database, waits, Reason.BROKER_UNAVAILABLE, {"error": "no route"})

    assert cancelled is not None
    assert (cancelled.state, cancelled.reason) == (State.CANCELLED, Reason.BROKER_UNAVAILABLE)
    assert await cancel(database, claimed.payment.id, Reason.CALLER) is None
    assert await cancel(database, waits, Reason.CALLER) is None
    assert await try_claim(database, waits) == NotQueued(State.CANCELLED, "reply.api-1")


async def test_a_claim_is_read_back_by_its_token_only(database: Database) -> None:
    """The same message twice at one worker: only the run whose token is stored owns the session."""
    claimed = await in_session(database)
    token = claimed.grant.token

    found = await read_back(database, claimed.payment.id, token)

    assert found == claimed
    assert await read_back(database, claimed.payment.id, "another run's token") is None
    assert await read_back(database, "pay_unknown", token) is None


async def test_a_claim_that_was_taken_over_is_not_read_back(database: Database) -> None:
    """After the takeover the old token is in no row."""
    claimed = await in_session(database)
    await taken_over(database, claimed.grant)

    assert await read_back(database, claimed.payment.id, claimed.grant.token) is None


async def test_each_acquisition_and_each_release_raises_the_epoch(database: Database) -> None:
    """No two acquisitions of a lock share an epoch."""
    await refused(database, order_id="a")
    await refused(database, order_id="b")

    claimed = await in_session(database, order_id="c")

    assert claimed.grant.epoch == 5
