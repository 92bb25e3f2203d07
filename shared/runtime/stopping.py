"""SIGTERM and SIGINT, and the tasks that run beside a process's main work."""

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import structlog


@asynccontextmanager
async def until_stopped(*background: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Event]:
    """Run the background tasks while the block runs; give the event that says when to end.

    It is set by a signal, or when a background task ends: none does so by itself, and its error is raised at
    the end. A second signal does not shorten a drain; SIGKILL does.
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
