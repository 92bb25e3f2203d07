"""Webhook endpoints that are changed while others write: nothing is lost, nothing waits for ever."""

import pytest
from payments import MERCHANT, change, queued, refused, rows
from races.interleaving import finished_or_blocked, outcome_of, paused_before_commit, running

from shared.payment.payment import Reason
from shared.storage.db.engine import Database
from shared.storage.payments import claims
from shared.storage.webhooks import delivery_sweep, endpoints, replays
from shared.storage.webhooks.endpoints import Changes, NewEndpoint, TooManyEndpoints


async def create(database: Database, endpoint_id: str, *, limit: int = 50) -> None:
    new = NewEndpoint(
        id=endpoint_id, merchant_id=MERCHANT, url="https://127.0.0.1/", description="", types=(),
        encrypted_secret="encrypted",
    )  # fmt: skip
    await endpoints.create(database, new, limit=limit, total_limit=100)


async def disable(database: Database, endpoint_id: str) -> None:
    assert await endpoints.change(database, MERCHANT, endpoint_id, Changes(disabled=True), limit=50)


async def state_of(database: Database) -> tuple[str, str | None]:
    """Return state and reason of the only delivery."""
    (row,) = await rows(database, "SELECT state, reason FROM deliveries")
    return row.state, row.reason


async def test_two_endpoints_at_once_do_not_exceed_the_limit(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """The second waits for the first one's commit and then counts it."""
    with paused_before_commit(postgres_database) as pause:
        async with running(create(postgres_database, "whe_1", limit=1)) as one:
            await pause.reached()
            async with running(create(second_postgres_database, "whe_2", limit=1)) as other:
                assert await finished_or_blocked(second_postgres_database, other)
                pause.go()
                await outcome_of(one)
                with pytest.raises(TooManyEndpoints):
                    await outcome_of(other)

    assert len(await rows(postgres_database, "SELECT id FROM webhook_endpoints")) == 1


async def test_a_payment_does_not_wait_for_an_endpoint_that_is_registered(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """Though both refer to the merchant."""
    with paused_before_commit(postgres_database) as pause:
        async with running(create(postgres_database, "whe_1")) as one:
            await pause.reached()
            async with running(queued(second_postgres_database)) as accepting:
                assert not await finished_or_blocked(second_postgres_database, accepting)
            pause.go()
            await outcome_of(one)


async def test_a_delivery_written_while_its_endpoint_is_disabled_ends_with_the_next_sweep(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """The event's transaction saw the endpoint enabled; the one that disables it did not see its delivery."""
    await create(postgres_database, "whe_1")
    payment_id = await queued(postgres_database)
    with paused_before_commit(postgres_database) as pause:
        async with running(claims.cancel(postgres_database, payment_id, Reason.CALLER)) as cancelling:
            await pause.reached()
            async with running(disable(second_postgres_database, "whe_1")) as disabling:
                await finished_or_blocked(second_postgres_database, disabling)
                pause.go()
                await outcome_of(cancelling)
                await outcome_of(disabling)

    await delivery_sweep.end_deliveries_of_disabled(postgres_database)

    assert await state_of(postgres_database) == ("dead", "endpoint_disabled")


async def test_a_replay_while_its_endpoint_is_disabled_ends_with_the_next_sweep(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """Nothing waits for a disabled endpoint."""
    await create(postgres_database, "whe_1")
    await refused(postgres_database)
    await change(postgres_database, "UPDATE deliveries SET state = 'delivered', ended_at = {now}")
    (row,) = await rows(postgres_database, "SELECT id FROM deliveries")
    with paused_before_commit(postgres_database) as pause:
        async with running(replays.replay(postgres_database, row.id, merchant_id=MERCHANT)) as replaying:
            await pause.reached()
            async with running(disable(second_postgres_database, "whe_1")) as disabling:
                await finished_or_blocked(second_postgres_database, disabling)
                pause.go()
                assert await outcome_of(replaying)
                await outcome_of(disabling)

    await delivery_sweep.end_deliveries_of_disabled(postgres_database)

    assert await state_of(postgres_database) == ("dead", "endpoint_disabled")
