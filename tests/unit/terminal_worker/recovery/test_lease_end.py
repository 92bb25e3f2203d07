"""The end of a lease's task while an answer is being received."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from terminal_worker.recovery.doubt_leases import DoubtLeases


async def test_a_drain_and_a_heartbeat_end_one_lease_at_once() -> None:
    """Both return, neither fails where the other was first."""
    is_cancelled, may_end = asyncio.Event(), asyncio.Event()

    async def receive() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            is_cancelled.set()
            await may_end.wait()

    task = asyncio.create_task(receive())
    reader = SimpleNamespace(is_receiving=False)
    lease = SimpleNamespace(task=task, listener=SimpleNamespace(reader=reader))
    leases = cast(Any, SimpleNamespace(_settings=SimpleNamespace(idle_end_seconds=30)))
    await asyncio.sleep(0)

    first = asyncio.create_task(DoubtLeases._stop(leases, cast(Any, lease)))
    await is_cancelled.wait()
    reader.is_receiving = True
    second = asyncio.create_task(DoubtLeases._stop(leases, cast(Any, lease)))
    await asyncio.sleep(0)
    may_end.set()
    await asyncio.gather(first, second)

    assert lease.task is None
    assert task.done()
