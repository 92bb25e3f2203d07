"""Deliveries of the notifier workers: leases, results, retries, the circuit breaker and the sweep."""

from typing import Any

from payments import MERCHANT, change, in_doubt, prove, refused, rows
from races.interleaving import finished_or_blocked, outcome_of, paused_before_commit, running
from stored.deliveries import add_endpoint_row, add_waiting, attempts, delivery

from shared.payment.states import Event
from shared.storage.db.engine import Database
from shared.storage.webhooks import deliveries, delivery_sweep
from shared.storage.webhooks.deliveries import (
    Attempt,
    AttemptResult,
    Breaker,
    Decision,
    Delivered,
    GiveUp,
    Leased,
    Retry,
)

BREAKER = Breaker(failures=3, pause_seconds=60)
RECEIVED = Attempt(duration_ms=12, status=200, answer="received")
FAILED = Attempt(duration_ms=34, status=500, error="status", answer="sorry")


async def leased(database: Database, delivery_id: str, seconds: float = 30) -> Leased:
    (found,) = await deliveries.lease(database, [delivery_id], seconds)
    return found


async def ended(
    database: Database,
    leased: Leased,
    decision: Decision,
    attempt: Attempt = FAILED,
    breaker: Breaker = BREAKER,
) -> None:
    found = await rows(database, "SELECT url FROM webhook_endpoints WHERE id = :id", id=leased.target)
    url = found[0].url if found else None
    await deliveries.record(database, [AttemptResult(leased, attempt, decision, url)], breaker=breaker)


async def target(database: Database, endpoint_id: str) -> Any:
    """Return the breaker's row; None for a target that works."""
    found = await rows(database, "SELECT * FROM delivery_targets WHERE id = :id", id=endpoint_id)
    return found[0] if found else None


async def fail_often(database: Database, endpoint_id: str, times: int) -> None:
    for delivery_id in await add_waiting(database, MERCHANT, endpoint_id, times):
        await ended(database, await leased(database, delivery_id), Retry(0))


async def notified_doubt(database: Database) -> tuple[str, str, str]:
    """Write the deliveries of a doubt and its end; return their endpoint, the first and the second."""
    endpoint = await add_endpoint_row(database, MERCHANT)
    doubted = await in_doubt(database)
    await prove(database, doubted.payment.id, Event.PROVED_DONE)
    first, second = await rows(database, "SELECT id, type FROM deliveries ORDER BY sequence")
    assert (first.type, second.type) == ("payment.in_doubt", "payment.resolved")
    return endpoint, first.id, second.id


async def test_a_delivery_is_leased_to_one_at_a_time(database: Database, second_database: Database) -> None:
    """Nobody else gets it until the end of the lease."""
    endpoint = await add_endpoint_row(database, MERCHANT)
    (one,) = await add_waiting(database, MERCHANT, endpoint)

    first = await leased(database, one)
    assert await deliveries.lease(second_database, [one], 30) == []
    assert await deliveries.lease_of_target(second_database, endpoint, 10, 30) == []

    await change(database, "UPDATE deliveries SET leased_until = 1")
    again = await leased(second_database, one)
    assert again.lease > first.lease
    assert again.tries == first.tries == 0


async def test_two_leases_at_once_share_the_waiting_deliveries(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """The second skips the rows that the first has locked, without waiting for them."""
    from_payments, one = postgres_database, second_postgres_database
    endpoint = await add_endpoint_row(from_payments, MERCHANT)
    ids = await add_waiting(from_payments, MERCHANT, endpoint, 5)
    with paused_before_commit(from_payments) as pause:
        async with running(deliveries.lease_of_target(from_payments, endpoint, 3, 30)) as first:
            await pause.reached()
            async with running(deliveries.lease_of_target(one, endpoint, 5, 30)) as second:
                assert not await finished_or_blocked(one, second)
                others = await outcome_of(second)
            pause.go()
            firsts = await outcome_of(first)

    assert len(firsts) == 3
    assert sorted(leased.id for leased in [*firsts, *others]) == sorted(ids)


async def test_a_delivery_that_is_not_due_or_of_a_paused_or_disabled_endpoint_is_not_leased(
    database: Database,
) -> None:
    """Neither by its id nor by its target."""
    later, paused, disabled = [await add_endpoint_row(database, MERCHANT) for _ in range(3)]
    ids = [(await add_waiting(database, MERCHANT, endpoint))[0] for endpoint in (later, paused, disabled)]
    await change(database, "UPDATE deliveries SET due_at = {now} + 60000 WHERE id = :id", id=ids[0])
    await change(
        database,
        "INSERT INTO delivery_targets (id, failures, paused_until) VALUES (:id, 9, {now} + 60000)",
        id=paused,
    )
    await change(database, "UPDATE webhook_endpoints SET disabled_at = 1 WHERE id = :id", id=disabled)

    assert await deliveries.lease(database, ids, 30) == []
    for endpoint in (later, paused, disabled):
        assert await deliveries.lease_of_target(database, endpoint, 10, 30) == []
    assert {found for _, found in await delivery_sweep.due_targets(database)} == {later}


async def test_a_success_ends_a_delivery_and_is_kept(database: Database) -> None:
    """With status, duration and the start of the response."""
    (one,) = await add_waiting(database, MERCHANT, await add_endpoint_row(database, MERCHANT))

    await ended(database, await leased(database, one), Delivered(), RECEIVED)

    row = await delivery(database, one)
    assert (row.state, row.reason, row.tries, row.leased_until) == ("delivered", None, 1, None)
    assert row.ended_at >= row.created_at
    (attempt,) = await attempts(database, one)
    assert (attempt.status, attempt.error, attempt.duration_ms, attempt.answer) == (200, None, 12, "received")


async def test_a_failure_is_due_after_its_pause(database: Database) -> None:
    """Not before, for the lease as for the sweep."""
    (one,) = await add_waiting(database, MERCHANT, await add_endpoint_row(database, MERCHANT))

    await ended(database, await leased(database, one), Retry(60), FAILED)

    row = await delivery(database, one)
    assert (row.state, row.tries) == ("waiting", 1)
    assert 59_000 <= row.due_at - row.tried_at <= 60_000
    assert row.publish_at == row.due_at
    assert await deliveries.lease(database, [one], 30) == []
    (attempt,) = await attempts(database, one)
    assert (attempt.status, attempt.error, attempt.answer) == (500, "status", "sorry")


async def test_a_result_that_is_stored_twice_is_one_attempt(database: Database) -> None:
    """As after a commit whose answer was lost."""
    one, other = await add_waiting(database, MERCHANT, await add_endpoint_row(database, MERCHANT), 2)
    tried = [
        AttemptResult(await leased(database, one), RECEIVED, Delivered()),
        AttemptResult(await leased(database, other), FAILED, Retry(60)),
    ]

    for _ in range(2):
        await deliveries.record(database, tried, breaker=BREAKER)

    for delivery_id in (one, other):
        assert len(await attempts(database, delivery_id)) == 1
        assert (await delivery(database, delivery_id)).tries == 1


async def test_a_late_result_changes_nothing_once_another_worker_leased_the_delivery(
    database: Database,
) -> None:
    """Neither while the other one sends nor after it has sent."""
    (one,) = await add_waiting(database, MERCHANT, await add_endpoint_row(database, MERCHANT))
    late = await leased(database, one)
    await change(database, "UPDATE deliveries SET leased_until = 1")
    theirs = await leased(database, one)

    await ended(database, late, GiveUp("gave_up"))
    assert (await delivery(database, one)).state == "waiting"
    await ended(database, theirs, Delivered(), RECEIVED)
    await ended(database, late, Retry(60))

    row = await delivery(database, one)
    assert (row.state, row.tries) == ("delivered", 1)
    assert [attempt.status for attempt in await attempts(database, one)] == [200]


async def test_a_later_delivery_of_a_payment_waits_for_the_first_attempt_of_the_earlier(
    database: Database,
) -> None:
    """While the earlier one waits and while it is being sent; a failed attempt is enough."""
    endpoint, first, second = await notified_doubt(database)

    assert await deliveries.lease(database, [second], 30) == []
    (earlier,) = await deliveries.lease_of_target(database, endpoint, 10, 30)
    assert (earlier.id, earlier.is_first_try) == (first, True)
    assert await deliveries.lease(database, [second], 30) == []

    await ended(database, earlier, Retry(60))

    assert earlier.payment_id is not None
    found = await delivery_sweep.next_of_payments(database, [earlier.payment_id], "merchant")
    assert found == [(second, endpoint)]
    assert (await leased(database, second)).sequence == 2


async def test_other_endpoints_and_payments_do_not_wait_for_each_other(database: Database) -> None:
    """The order is one of a payment's deliveries to one endpoint."""
    one, other = [await add_endpoint_row(database, MERCHANT) for _ in range(2)]
    doubted = await in_doubt(database)
    await prove(database, doubted.payment.id, Event.PROVED_DONE)
    await refused(database, order_id="another", host="127.0.0.8", terminal_address="127.0.0.8:8888")
    (earlier, *_) = await deliveries.lease_of_target(database, one, 10, 30)
    await ended(database, earlier, Delivered(), RECEIVED)

    to_one = await deliveries.lease_of_target(database, one, 10, 30)
    to_other = await deliveries.lease_of_target(database, other, 10, 30)

    assert {(leased.payment_id == doubted.payment.id, leased.sequence) for leased in to_other} == {
        (True, 1),
        (False, 1),
    }
    assert (doubted.payment.id, 2) in {(leased.payment_id, leased.sequence) for leased in to_one}


async def test_failures_in_a_row_pause_a_target_longer_and_longer(database: Database) -> None:
    """From the third one here: 60 s, 120 s, and 32 times that at most."""
    endpoint = await add_endpoint_row(database, MERCHANT)

    await fail_often(database, endpoint, 2)
    assert (await target(database, endpoint)).paused_until is None

    pauses = []
    for _ in range(8):
        await fail_often(database, endpoint, 1)
        (row,) = await rows(
            database, "SELECT paused_until - {now} AS ms FROM delivery_targets WHERE id = :id", id=endpoint
        )
        pauses.append(round(row.ms / 10_000) * 10)
        await change(database, "UPDATE delivery_targets SET paused_until = 1")
    assert pauses == [60, 120, 240, 480, 960, 1920, 1920, 1920]


async def test_failures_of_attempts_that_began_before_a_pause_do_not_lengthen_it(database: Database) -> None:
    """Sixteen failures of attempts at once pause the target once."""
    endpoint = await add_endpoint_row(database, MERCHANT)
    await add_waiting(database, MERCHANT, endpoint, 8)
    under_way = await deliveries.lease_of_target(database, endpoint, 8, 30)

    await deliveries.record(
        database, [AttemptResult(one, FAILED, Retry(60)) for one in under_way], breaker=BREAKER
    )

    assert (await target(database, endpoint)).failures == 3


async def test_a_success_closes_the_breaker_and_a_refused_message_does_not_count(database: Database) -> None:
    """A refused message does not pause its target; a success resets the count of failures."""
    endpoint = await add_endpoint_row(database, MERCHANT)
    one, other = await add_waiting(database, MERCHANT, endpoint, 2)
    await ended(database, await leased(database, one), Retry(60, is_targets=False))
    assert await target(database, endpoint) is None
    await fail_often(database, endpoint, 2)

    await ended(database, await leased(database, other), Delivered(), RECEIVED)

    assert await target(database, endpoint) is None


async def test_gone_disables_the_endpoint_and_ends_its_waiting_deliveries(database: Database) -> None:
    """Other endpoints go on; attempts that are under way may still end."""
    gone, other = [await add_endpoint_row(database, MERCHANT) for _ in range(2)]
    one, *rest = await add_waiting(database, MERCHANT, gone, 3)
    (others,) = await add_waiting(database, MERCHANT, other)
    under_way = await leased(database, rest[0])

    await ended(
        database,
        await leased(database, one),
        GiveUp("gone", endpoint_is_gone=True),
        Attempt(5, 410, "status", "gone"),
    )
    assert await delivery_sweep.end_deliveries_of_disabled(database) == 1
    await ended(database, under_way, Retry(60))
    assert await delivery_sweep.end_deliveries_of_disabled(database) == 1

    found = [await delivery(database, one) for one in (one, *rest)]
    assert [(row.state, row.reason) for row in found] == [
        ("dead", "gone"),
        ("dead", "endpoint_disabled"),
        ("dead", "endpoint_disabled"),
    ]
    (endpoint,) = await rows(database, "SELECT * FROM webhook_endpoints WHERE id = :id", id=gone)
    assert (endpoint.disabled_because, endpoint.disabled_at > 0) == ("gone", True)
    assert (await delivery(database, others)).state == "waiting"


async def test_a_410_of_an_earlier_address_or_of_a_lost_lease_disables_nothing(database: Database) -> None:
    """The endpoint was fixed meanwhile, or another worker had a success: a late result changes nothing."""
    endpoint = await add_endpoint_row(database, MERCHANT)
    first, second = await add_waiting(database, MERCHANT, endpoint, 2)
    (row,) = await rows(database, "SELECT url FROM webhook_endpoints WHERE id = :id", id=endpoint)
    stalled = await leased(database, first)
    await change(database, "UPDATE deliveries SET leased_until = 0 WHERE id = :id", id=first)
    await ended(database, await leased(database, first), Delivered())
    gone = GiveUp("gone", endpoint_is_gone=True)

    for tried in (
        AttemptResult(stalled, Attempt(5, 410, "status"), gone, row.url),
        AttemptResult(
            await leased(database, second), Attempt(5, 410, "status"), gone, "http://127.0.0.1/earlier"
        ),
    ):
        await deliveries.record(database, [tried], breaker=Breaker(5, 10))

    (found,) = await rows(database, "SELECT * FROM webhook_endpoints WHERE id = :id", id=endpoint)
    assert found.disabled_at is None
    assert (await delivery(database, first)).state == "delivered"


async def test_a_delivery_written_while_its_endpoint_was_disabled_is_ended(database: Database) -> None:
    """Nothing waits for ever for a disabled endpoint."""
    endpoint, other = [await add_endpoint_row(database, MERCHANT) for _ in range(2)]
    await change(database, "UPDATE webhook_endpoints SET disabled_at = 1 WHERE id = :id", id=endpoint)
    (late,) = await add_waiting(database, MERCHANT, endpoint)
    (others,) = await add_waiting(database, MERCHANT, other)

    assert await delivery_sweep.end_deliveries_of_disabled(database) == 1

    assert (await delivery(database, late)).reason == "endpoint_disabled"
    assert (await delivery(database, others)).state == "waiting"


async def test_the_sweep_takes_a_bounded_part_of_each_target(database: Database) -> None:
    """And not the same part again at once: five thousand of one delay no other."""
    full, other = [await add_endpoint_row(database, MERCHANT) for _ in range(2)]
    await add_waiting(database, MERCHANT, full, 5000)
    (few,) = await add_waiting(database, MERCHANT, other)
    assert set(await delivery_sweep.due_targets(database)) == {("merchant", full), ("merchant", other)}

    first = await delivery_sweep.claim_to_publish(database, full, 32)
    second = await delivery_sweep.claim_to_publish(database, full, 32)

    assert len(first) == len(second) == 32
    assert not set(first) & set(second)
    assert await delivery_sweep.claim_to_publish(database, other, 32) == [few]


async def test_a_publication_without_effect_is_repeated_at_growing_intervals(database: Database) -> None:
    """After 10 s, 20 s, then every 40 s; a message that the broker did not accept is not counted."""
    endpoint = await add_endpoint_row(database, MERCHANT)
    (one,) = await add_waiting(database, MERCHANT, endpoint)

    async def until_next() -> int:
        assert await delivery_sweep.claim_to_publish(database, endpoint, 32) == [one]
        (row,) = await rows(database, "SELECT publish_at - {now} AS ms FROM deliveries")
        await change(database, "UPDATE deliveries SET publish_at = 0")
        return int(round(row.ms / 10_000) * 10)

    assert [await until_next() for _ in range(7)] == [10, 20, 40, 40, 40, 40, 40]

    await change(database, "UPDATE deliveries SET publish_count = 0")
    await delivery_sweep.claim_to_publish(database, endpoint, 32)
    await delivery_sweep.not_published(database, [one])
    assert (await delivery(database, one)).publish_count == 0
    assert await delivery_sweep.claim_to_publish(database, endpoint, 32) == [one]


async def test_a_leased_delivery_is_not_published(database: Database) -> None:
    """The sweep skips it until the end of the lease, even if the broker had refused its message."""
    endpoint = await add_endpoint_row(database, MERCHANT)
    (one,) = await add_waiting(database, MERCHANT, endpoint)
    await delivery_sweep.claim_to_publish(database, endpoint, 32)
    await leased(database, one)

    await delivery_sweep.not_published(database, [one])

    assert await delivery_sweep.due_targets(database) == []
    await change(database, "UPDATE deliveries SET leased_until = 1, publish_at = 1")
    assert await delivery_sweep.claim_to_publish(database, endpoint, 32) == [one]


async def test_waiting_deliveries_are_counted_by_kind_with_the_age_of_the_oldest(database: Database) -> None:
    """Since it was written or replayed, whatever its next attempt waits for."""
    endpoint = await add_endpoint_row(database, MERCHANT)
    one, *_ = await add_waiting(database, MERCHANT, endpoint, 3)
    assert (await delivery_sweep.waiting_counts(database)).keys() == {"merchant"}
    await change(database, "UPDATE deliveries SET since_at = {now} - 60000 WHERE id = :id", id=one)

    waiting = (await delivery_sweep.waiting_counts(database))["merchant"]

    assert waiting.number == 3
    assert 60 <= waiting.oldest_seconds < 90


async def test_a_delivery_is_overdue_where_it_is_due_and_nobody_sends_it(database: Database) -> None:
    """Not while it is leased, not while its endpoint is paused: that is the receiver's part of the lag."""
    endpoint = await add_endpoint_row(database, MERCHANT)
    [one] = await add_waiting(database, MERCHANT, endpoint, 1)
    await change(database, "UPDATE deliveries SET due_at = {now} - 60000")

    async def overdue() -> float:
        return (await delivery_sweep.waiting_counts(database))["merchant"].overdue_seconds

    assert 60 <= await overdue() < 90
    await change(database, "UPDATE deliveries SET leased_until = {now} + 60000 WHERE id = :id", id=one)
    assert await overdue() == 0
    await change(database, "UPDATE deliveries SET leased_until = NULL")
    assert await delivery_sweep.paused_targets(database) == 0
    await change(
        database,
        "INSERT INTO delivery_targets (id, failures, paused_until) VALUES (:id, 9, {now} + 60000)",
        id=endpoint,
    )
    assert await overdue() == 0
    assert await delivery_sweep.paused_targets(database) == 1
