"""An event loop with virtual time and seeded disorder: what is ready runs in an order drawn from the seed.

Every handle belongs to a simulated process by its context. The handles of a paused process wait, as under
SIGSTOP; those of a dead one never run again, so that nothing of it, not even a `finally`, reaches the world.
"""

import asyncio
import heapq
import random
from contextvars import ContextVar
from typing import Any, Protocol

_CANCELLED_AT_MOST = 100


class Owner(Protocol):
    """A simulated process, as the loop sees it."""

    def takes(self, handle: asyncio.Handle) -> bool:
        """Whether the handle may run now; else the owner keeps it."""
        ...


#: Whose code runs; None is the world itself: networks, terminals, people.
OWNER: ContextVar[Owner | None] = ContextVar("owner", default=None)


class Deadlock(Exception):
    """Nothing is ready and no timer is set: the world would stand still for ever."""


class SimulatedLoop(asyncio.BaseEventLoop):
    """Virtual time in seconds from 0; a timer costs nothing but its place in the heap."""

    _ready: Any
    _scheduled: Any

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self.now = 0.0
        self._cancelled_timers = 0
        self._rng = rng
        self.set_exception_handler(_pass_over)

    def time(self) -> float:
        return self.now

    def run_in_executor(self, *_: object) -> Any:
        raise AssertionError("a thread would end the determinism")

    def _write_to_self(self) -> None:
        raise AssertionError("a thread would end the determinism")

    def _run_once(self) -> None:
        scheduled, ready = self._scheduled, self._ready
        if not ready:
            while scheduled and scheduled[0]._cancelled:
                heapq.heappop(scheduled)._scheduled = False
            if not scheduled:
                raise Deadlock
            self.now = max(self.now, scheduled[0]._when)
        while scheduled and scheduled[0]._when <= self.now:
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            if not handle._cancelled:
                ready.append(handle)
        batch = list(ready)
        ready.clear()
        if len(batch) > 1:
            self._rng.shuffle(batch)
        for handle in batch:
            if handle._cancelled:
                continue
            owner = handle._context.get(OWNER)
            if owner is None or owner.takes(handle):
                handle._run()

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Most timers are time-outs that were not needed: without them the heap stays small."""
        del handle
        self._cancelled_timers += 1
        if self._cancelled_timers > _CANCELLED_AT_MOST and self._cancelled_timers * 2 > len(self._scheduled):
            self._scheduled = [timer for timer in self._scheduled if not timer._cancelled]
            heapq.heapify(self._scheduled)
            self._cancelled_timers = 0


def _pass_over(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What a task left behind is judged by its effects; an unexpected error is kept for the judge."""
    exception = context.get("exception")
    if exception is not None:
        UNEXPECTED.append(repr(exception))


#: Errors that nobody awaited, of the history that runs.
UNEXPECTED: list[str] = []
