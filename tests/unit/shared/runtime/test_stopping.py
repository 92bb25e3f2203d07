"""The event loop's lag is measured."""

import asyncio
import time

from shared.runtime.clock import SystemClock
from shared.runtime.stopping import watch_loop_lag


async def test_a_blocked_loop_is_reported_with_its_lag() -> None:
    """A blocking call shows up as seconds."""
    seen: asyncio.Queue[float] = asyncio.Queue()
    task = asyncio.create_task(watch_loop_lag(SystemClock(), seen.put_nowait, interval_seconds=0.01))
    await seen.get()

    time.sleep(0.1)  # noqa: ASYNC251 - the blocking call
    late = await seen.get()

    task.cancel()
    assert 0.05 < late < 5
