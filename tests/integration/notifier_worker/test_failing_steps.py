"""Errors at any step of a delivery: it is delivered all the same, and its slot is released."""

import pytest
from eventually import eventually
from stored.deliveries import all_delivered, all_published_late, hearing
from system import System
from wire.webhook_receiver import receiving

from shared.storage.db.engine import Database

#: A delivery was leased; it was posted; its result was stored and its message is not acknowledged yet.
NOTIFIER_STEPS = ("claimed", "sent", "stored")


@pytest.mark.parametrize("step", NOTIFIER_STEPS)
async def test_an_error_at_any_step_keeps_no_slot_and_loses_no_delivery(system: System, step: str) -> None:
    """Leased deliveries wait for their lease's end meanwhile; their slots are free."""
    failing = [True]
    failures: list[str] = []

    async def fails(reached: str) -> None:
        if failing[0] and reached == step:
            failures.append(step)
            raise RuntimeError(step)

    brief = {"notify_timeout_seconds": 1, "notify_connect_timeout_seconds": 1, "notify_lease_seconds": 1.5}
    notifier = await system.notifier(failpoint=fails, notify_endpoint_concurrency=2, **brief)
    async with receiving() as hooks:
        waiting = await hearing(system, hooks.url)
        await waiting.wait(5)
        await eventually(lambda: failures)
        await eventually(lambda: notifier.metric("notifications_under_way", kind="merchant") == 0)

        failing[0] = False
        await waiting.wait(5)
        await eventually(lambda: made_in_time(system.database))
        await eventually(lambda: notifier.metric("notifications_under_way", kind="merchant") == 0)
        assert len({one.headers["webhook-id"] for one in hooks.received}) == 10


async def made_in_time(database: Database) -> bool:
    """Return True once all are delivered; let the sweep publish waiting ones at once."""
    await all_published_late(database)
    return await all_delivered(database)
