"""A thread for work on large bodies, beside the event loop, so that other requests do not wait for it."""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")

#: What is smaller is read, checked and written within a millisecond or two; a usual order has 1 KB.
LARGE_BYTES: Final = 16_384


class LargeWork:
    """One thread: several would only take turns with each other, and longer ones with the event loop.

    Between two pieces of work the event loop has a turn to itself: parts of them hold the interpreter for
    milliseconds, and the loop asks for it several times for each request.
    """

    def __init__(self) -> None:
        self._thread: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="large-work")
        self._turn: Final = asyncio.Lock()

    async def run(
        self, size_bytes: int, work: Callable[_Given, _Made], *given: _Given.args, **named: _Given.kwargs
    ) -> _Made:
        """Return what `work` makes of something of this size; raise what it raises."""
        if size_bytes < LARGE_BYTES:
            return work(*given, **named)
        context = contextvars.copy_context()
        async with self._turn:
            try:
                return await asyncio.get_running_loop().run_in_executor(
                    self._thread, lambda: context.run(work, *given, **named)
                )
            finally:
                await asyncio.sleep(0)
