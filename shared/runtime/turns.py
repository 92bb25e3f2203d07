"""Turns of the event loop: a burst goes on in portions, large work beside it; others have the loop."""

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

#: Each works for a millisecond or two before it waits for something else, and a call of the database or the
#: broker takes several turns.
_PER_TURN: Final = 2


class Turns:
    """A few callers go on in each turn of the event loop, in the order they came."""

    def __init__(self) -> None:
        self._left = _PER_TURN
        self._waiting: Final[deque[asyncio.Future[None]]] = deque()
        self._is_counting = False

    async def take(self) -> None:
        """Return in this turn of the event loop where there is room, else in a later one."""
        loop = asyncio.get_running_loop()
        if not self._is_counting:
            self._is_counting = True
            loop.call_soon(self._next)
        if self._left > 0:
            self._left -= 1
            return
        turn = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _next(self) -> None:
        """Begin the next turn of the event loop; those that wait come first."""
        self._left = _PER_TURN
        while self._waiting and self._left:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self._left -= 1
        self._is_counting = self._left < _PER_TURN
        if self._is_counting:
            asyncio.get_running_loop().call_soon(self._next)


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
