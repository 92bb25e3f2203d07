"""SIGTERM and SIGINT, and the background tasks that run beside a process's main work."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog

from shared.runtime.clock import Clock
from shared.runtime.resilience import failures_logged

#: Short enough to notice a blocked loop, long enough to cost nothing.
LOOP_LAG_INTERVAL_SECONDS: Final = 0.5


@asynccontextmanager
async def until_stopped(*background: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Event]:
    """Run the background tasks while the block runs; yield the event that is set when the process is to end.

    A signal sets it, and the end of a background task: one that ends by itself asks for the process's end.
    Its error is raised after the block. A second signal does not shorten a drain; SIGKILL does.
    """
    stopped = asyncio.Event()

    def stop(*_: object) -> None:
        if not stopped.is_set():
            structlog.get_logger().info("stopping")
            stopped.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    tasks = [asyncio.create_task(coroutine) for coroutine in background]
    for task in tasks:
        task.add_done_callback(stop)
    try:
        yield stopped
    finally:
        failed = [task for task in tasks if task.done()]
        for task in tasks:
            task.remove_done_callback(stop)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in failed:
        task.result()


async def watch_loop_lag(clock: Clock, observe: Callable[[float], None], *, interval_seconds: float) -> None:
    """Report by how many seconds each wake-up from a sleep was late, until cancelled.

    A blocked event loop sends no heartbeats and loses its connections.
    """
    while True:
        before = clock.monotonic()
        await asyncio.sleep(interval_seconds)
        with failures_logged("event loop lag not measured"):
            observe(max(0.0, clock.monotonic() - before - interval_seconds))
