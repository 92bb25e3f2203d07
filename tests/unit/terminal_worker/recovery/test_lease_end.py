"""The end of a lease's task while an answer is being received."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from terminal_worker.recovery.doubt_leases import DoubtLeases


async def test_a_drain_and_a_heartbeat_end_one_lease_at_once() -> None:
    """Both return, neither fails where the other was first."""
    received = asyncio.Event()
    task = asyncio.create_task(received.wait())
    lease = SimpleNamespace(task=task, listener=SimpleNamespace(reader=SimpleNamespace(is_receiving=True)))
    leases = cast(Any, SimpleNamespace(_settings=SimpleNamespace(idle_end_seconds=30)))

    ends = [asyncio.create_task(DoubtLeases._stop(leases, cast(Any, lease))) for _ in range(2)]
    await asyncio.sleep(0)
    received.set()
    await asyncio.gather(*ends)

    assert lease.task is None
    assert task.done()
