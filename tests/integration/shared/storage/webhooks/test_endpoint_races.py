"""Webhook endpoints that are changed while others write: nothing is lost, nothing waits for ever."""

import pytest
from payments import MERCHANT, change, queued, refused, rows
from races.crossing import crossed
from races.interleaving import paused_before_commit

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


async def test_two_endpoints_at_once_do_not_exceed_the_limit(one: Database, two: Database) -> None:
    """The second waits for the first one's commit and then counts it."""
    with pytest.raises(TooManyEndpoints):
        await crossed(
            two, paused_before_commit(one), create(one, "whe_1", limit=1), create(two, "whe_2", limit=1)
        )

    assert len(await rows(one, "SELECT id FROM webhook_endpoints")) == 1


async def test_a_payment_does_not_wait_for_an_endpoint_that_is_registered(
    one: Database, two: Database
) -> None:
    """Though both refer to the merchant."""
    await crossed(two, paused_before_commit(one), create(one, "whe_1"), queued(two), waits=False)


async def test_a_delivery_written_while_its_endpoint_is_disabled_ends_with_the_next_sweep(
    one: Database, two: Database
) -> None:
    """The event's transaction saw the endpoint enabled; the one that disables it did not see its delivery."""
    await create(one, "whe_1")
    cancelling = claims.cancel(one, await queued(one), Reason.CALLER)

    await crossed(two, paused_before_commit(one), cancelling, disable(two, "whe_1"), waits=None)
    await delivery_sweep.end_deliveries_of_disabled(one)

    assert await state_of(one) == ("dead", "endpoint_disabled")


async def test_a_replay_while_its_endpoint_is_disabled_ends_with_the_next_sweep(
    one: Database, two: Database
) -> None:
    """Nothing waits for a disabled endpoint."""
    await create(one, "whe_1")
    await refused(one)
    await change(one, "UPDATE deliveries SET state = 'delivered', ended_at = {now}")
    (row,) = await rows(one, "SELECT id FROM deliveries")
    replaying = replays.replay(one, row.id, merchant_id=MERCHANT)

    replayed, _ = await crossed(two, paused_before_commit(one), replaying, disable(two, "whe_1"), waits=None)
    await delivery_sweep.end_deliveries_of_disabled(one)

    assert replayed
    assert await state_of(one) == ("dead", "endpoint_disabled")
