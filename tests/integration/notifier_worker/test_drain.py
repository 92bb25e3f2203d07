"""SIGTERM: running deliveries are finished and stored, no further one is started."""

import asyncio
from typing import Any

from eventually import eventually
from races.interleaving import running
from stored.deliveries import PATIENT, all_delivered, all_published_late, attempts, delivery, hearing
from system import System
from wire.webhook_receiver import receiving

ONE_AT_A_TIME: dict[str, Any] = {**PATIENT, "notify_endpoint_concurrency": 1}


async def test_running_deliveries_are_finished_and_stored(system_on_both: System) -> None:
    """The worker waits for the receiver's answer; waiting deliveries are left to another worker."""
    system = system_on_both
    notifier = await system.notifier(**ONE_AT_A_TIME)
    async with receiving() as hooks:
        hooks.goes_on.clear()
        merchant = await hearing(system, hooks.url)
        (one,) = await merchant.wait()
        await hooks.heard(1)
        (waiting,) = await merchant.wait()

        async with running(notifier.parts.merchant.drain(15)) as drain:
            await eventually(lambda: published(system, waiting))
            assert not drain.done()
            hooks.goes_on.set()
            await asyncio.wait_for(drain, 15)

        assert (await delivery(system.database, one)).state == "delivered"
        assert len(await attempts(system.database, one)) == 1
        assert (await delivery(system.database, waiting)).lease == 0
        assert len(hooks.received) == 1

        await system.notifier()
        await all_published_late(system.database)
        await hooks.heard(2)
        await eventually(lambda: all_delivered(system.database))
        assert hooks.received[1].headers["webhook-id"] == waiting


async def published(system: System, delivery_id: str) -> bool:
    return bool((await delivery(system.database, delivery_id)).publish_count)


async def test_a_receiver_that_hangs_does_not_delay_a_worker_for_ever(system: System) -> None:
    """After the drain's time its delivery is left to another worker, after the lease's end."""
    notifier = await system.notifier(**PATIENT)
    async with receiving() as hooks:
        hooks.goes_on.clear()
        (one,) = await (await hearing(system, hooks.url)).wait()
        await hooks.heard(1)

        await asyncio.wait_for(notifier.parts.merchant.drain(0.1), 10)

        row = await delivery(system.database, one)
        assert row.state == "waiting"
        assert row.leased_until > 0
