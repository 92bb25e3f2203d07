"""How late the event loop runs: a blocked loop sends no heartbeats and loses its connections."""

import asyncio
from collections.abc import Callable
from typing import Final

from shared.runtime.clock import Clock
from shared.runtime.resilience import failures_logged

#: Often enough to see a blocked loop, seldom enough to cost nothing.
LOOP_LAG_INTERVAL_SECONDS: Final = 0.5


async def watch_loop_lag(clock: Clock, observe: Callable[[float], None], *, interval_seconds: float) -> None:
    """Sleep again and again and report by how many seconds each waking was late. Runs until cancelled."""
    while True:
        before = clock.monotonic()
        await asyncio.sleep(interval_seconds)
        with failures_logged("event loop lag not measured"):
            observe(max(0.0, clock.monotonic() - before - interval_seconds))
