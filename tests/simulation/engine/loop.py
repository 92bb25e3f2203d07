"""Event loop with virtual time: what is ready runs in an order drawn from the seed.

Every handle belongs to a simulated process by its context. The handles of a paused process wait, as under
SIGSTOP; those of a dead one never run again, so that nothing of it, not even a `finally`, reaches the world.
"""

import asyncio
import random
from collections.abc import Callable, Iterable
from contextvars import Context, ContextVar, copy_context
from heapq import heapify, heappop, heappush
from typing import Any, Protocol, TypeVarTuple

_Arguments = TypeVarTuple("_Arguments")

_CANCELLED_AT_MOST = 100


class Owner(Protocol):
    """A simulated process, as the loop sees it."""

    def takes(self, handle: asyncio.Handle) -> bool:
        """Return whether the handle may run now; else the owner keeps it."""
        ...


#: Process whose code runs; None is the world itself: networks, terminals, operators.
OWNER: ContextVar[Owner | None] = ContextVar("owner", default=None)


class Deadlock(Exception):
    """Raised when nothing is ready and no timer is set."""


class _Handle(asyncio.Handle):
    """Handle that skips asyncio's debug mode, since no object is made more often."""

    __slots__ = ()

    def __init__(self, call: Callable[..., object], arguments: Any, loop: Any, context: Context) -> None:
        self._callback = call
        self._args = arguments
        self._loop = loop
        self._context = context
        self._cancelled = False
        self._repr = self._source_traceback = None


class _Timer(asyncio.TimerHandle):
    """Timer handle that skips asyncio's debug mode."""

    _scheduled: bool
    __slots__ = ()

    def __init__(
        self, when: float, call: Callable[..., object], arguments: Any, loop: Any, context: Context
    ) -> None:
        self._callback = call
        self._args = arguments
        self._loop = loop
        self._context = context
        self._cancelled = False
        self._repr = self._source_traceback = None
        self._when = when
        self._scheduled = True

    def cancel(self) -> None:
        if not self._cancelled:
            self._loop._timer_handle_cancelled(self)
            self._cancelled = True
            self._callback, self._args = _nothing, ()


class SimulatedLoop(asyncio.BaseEventLoop):
    """Virtual time in seconds from 0; a timer costs nothing but its place in the heap.

    Its own ways of scheduling do what asyncio's do, without the checks of a loop that is debugged.
    """

    _closed: bool
    _stopping: bool
    _ready: Any
    #: Time, order of setting, handle.
    _scheduled: "list[tuple[float, int, _Timer]]"

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self.now = 0.0
        self._timers = 0
        self._cancelled_timers = 0
        self._rng = rng
        self.set_exception_handler(_pass_over)

    def time(self) -> float:
        return self.now

    def run_in_executor(self, *_: object) -> Any:
        raise AssertionError("a thread would end the determinism")

    def _write_to_self(self) -> None:
        raise AssertionError("a thread would end the determinism")

    def call_soon(
        self, callback: Callable[[*_Arguments], object], *args: *_Arguments, context: Context | None = None
    ) -> asyncio.Handle:
        if self._closed:
            raise RuntimeError("Event loop is closed")
        handle = _Handle(callback, args, self, copy_context() if context is None else context)
        self._ready.append(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        if self._closed:
            raise RuntimeError("Event loop is closed")
        timer = _Timer(when, callback, args, self, copy_context() if context is None else context)
        self._timers += 1
        heappush(self._scheduled, (when, self._timers, timer))
        return timer

    def take_back(self, handles: Iterable[asyncio.Handle]) -> None:
        """Make the handles that an owner kept ready again."""
        self._ready.extend(handles)

    def after(self, seconds: float) -> "asyncio.Future[None]":
        """Return a future that is done after so many seconds: a faster `asyncio.sleep`."""
        future = self.create_future()
        self.call_at(self.now + seconds, _wake, future)
        return future

    def _run_once(self) -> None:
        """Run until the loop is stopped, in rounds of everything that is ready."""
        ready = self._ready
        while not self._stopping:
            self._make_ready()
            batch = list(ready)
            ready.clear()
            if len(batch) > 1:
                self._rng.shuffle(batch)
            for handle in batch:
                if handle._cancelled:
                    continue
                context = handle._context
                owner = context.get(OWNER)
                if owner is None or owner.takes(handle):
                    try:
                        context.run(handle._callback, *handle._args)
                    except (SystemExit, KeyboardInterrupt):
                        raise
                    except BaseException as error:
                        self.call_exception_handler({"message": "in a callback", "exception": error})

    def _make_ready(self) -> None:
        scheduled, ready = self._scheduled, self._ready
        if not ready:
            while scheduled and scheduled[0][2]._cancelled:
                heappop(scheduled)[2]._scheduled = False
            if not scheduled:
                raise Deadlock
            self.now = max(self.now, scheduled[0][0])
        while scheduled and scheduled[0][0] <= self.now:
            handle = heappop(scheduled)[2]
            handle._scheduled = False
            if not handle._cancelled:
                ready.append(handle)

    def _timer_handle_cancelled(self, handle: _Timer) -> None:
        """Drop cancelled timers, which are most, so that the heap stays small."""
        if not handle._scheduled:
            return
        self._cancelled_timers += 1
        if self._cancelled_timers > _CANCELLED_AT_MOST and self._cancelled_timers * 2 > len(self._scheduled):
            self._scheduled = [timer for timer in self._scheduled if not timer[2]._cancelled]
            heapify(self._scheduled)
            self._cancelled_timers = 0


def _nothing() -> None:
    """Stand in for the callback of a cancelled timer."""


def _wake(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _pass_over(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Keep an unexpected error of the loop for the judge."""
    exception = context.get("exception")
    if exception is not None:
        UNEXPECTED.append(repr(exception))


def note_unexpected(event: str, error: Exception, **_: object) -> None:
    """Keep an unexpected error that the product logs for the judge, except the simulated server's own."""
    if not getattr(error, "sqlstate", ""):
        UNEXPECTED.append(f"{event}: {error!r}")


#: Errors that nobody awaited, or that a loop went on after, of the history that runs.
UNEXPECTED: list[str] = []
