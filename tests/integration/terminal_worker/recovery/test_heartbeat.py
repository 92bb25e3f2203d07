"""A worker's heartbeat goes on under load; the worker ends itself once it was taken over."""

import asyncio

import pytest
from eventually import eventually
from limits import BRIEF_DOUBT
from payments import change
from running.assembled import whole_process
from system import System
from wire.amqp_proxy import AmqpProxy
from wire.scripted_terminal import ScriptedTerminal, closes

from terminal_worker.main import run
from terminal_worker.recovery.heartbeat import WorkerTakenOver


async def test_a_worker_whose_row_is_gone_ends_itself(system: System) -> None:
    """The whole process: it registers, and when its row goes it stops with the reason."""
    async with whole_process(run(system.settings)) as process:
        gone = await eventually(lambda: change(system.database, "DELETE FROM workers"))

        with pytest.raises(WorkerTakenOver):
            await asyncio.wait_for(process, 10)

    assert gone == 1


@pytest.mark.parametrize("limits", [{**BRIEF_DOUBT, "publish_timeout_seconds": 4}])
async def test_the_heart_beats_while_released_terminals_cannot_be_published(
    way: AmqpProxy, system: System
) -> None:
    """Leases end while the broker is blocked: publications wait for their time-out, heartbeats do not."""
    pos = await system.pos()
    worker = await system.worker(amqp_url=way.url, sweeps=False)
    async with ScriptedTerminal(closes) as shop:
        await pos.pay(shop.host)
        # A payment waits for the terminal: the release has a message to publish.
        async with asyncio.TaskGroup() as group:
            group.create_task(pos.pay(shop.host))
            await eventually(lambda: _payments(system, 2))
            await eventually(lambda: worker.metric("session_slots_used") == 0)
            way.freeze()
            await eventually(lambda: system.is_free(shop.host))
            before = (await worker.heartbeats.counters())[worker.id]

            async def has_beaten() -> bool:
                return (await worker.heartbeats.counters())[worker.id] >= before + 3

            await eventually(has_beaten, within_seconds=2)
            await way.mend()


async def _payments(system: System, count: int) -> bool:
    return len(await system.payments()) == count
