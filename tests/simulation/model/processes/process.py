"""Simulated process: its tasks run, wait under SIGSTOP, or never run again after SIGKILL."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, Protocol

from tests.simulation.engine.loop import OWNER, SimulatedLoop
from tests.simulation.engine.stage import Stage


class Socket(Protocol):
    def kernel_closes(self) -> None: ...


class Process:
    """One start of one process; it reaches the world through sockets that the world closes."""

    def __init__(self, stage: Stage, name: str) -> None:
        self.stage = stage
        self.name = name
        self.is_dead = False
        #: It was asked to end, and ends by itself.
        self.is_stopping = False
        #: It came to its own end: nobody killed it, before or while it was stopping.
        self.ended_by_itself = False
        self.paused_at: float | None = None
        self._parked: list[asyncio.Handle] = []
        #: Handles of a dead process, kept so that none is finalised while the world goes on.
        self._graveyard: list[asyncio.Handle] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self._is_over = False
        self._armed_steps = 0
        self._strikes_in: int | None = None
        self._strike: Callable[[], None] | None = None
        self.context: Context = stage.context.copy()
        self.context.run(OWNER.set, self)
        self.on_death: list[Callable[[Process], None]] = []
        self.on_resume: list[Callable[[], None]] = []
        self.sockets: list[Socket] = []

    @property
    def is_paused(self) -> bool:
        return self.paused_at is not None

    def takes(self, handle: asyncio.Handle) -> bool:
        if self._is_over:
            return True
        if self.is_dead:
            self._graveyard.append(handle)
            return False
        if self.paused_at is not None:
            self._parked.append(handle)
            return False
        if self._strikes_in is not None:
            self._strikes_in -= 1
            if self._strikes_in <= 0 and self._strike is not None:
                strike, self._strike, self._strikes_in = self._strike, None, None
                strike()
                return self.takes(handle)
        return True

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        task = self.stage.loop.create_task(coroutine, context=self.context.copy())
        self._tasks.append(task)
        return task

    def strike_at_work(self, strike: Callable[[], None], steps: int) -> None:
        """Arm a fault that comes so many steps after its next delivery or request."""
        self._strike, self._armed_steps = strike, steps

    def disarm(self) -> None:
        """Disarm its fault, and end its pause."""
        self._strike = self._strikes_in = None
        self.resume()

    def about_to_work(self) -> None:
        if self._strike is not None and self._strikes_in is None:
            self._strikes_in = self._armed_steps

    def end(self) -> None:
        """Leave nothing running: the process's main work is over."""
        self.ended_by_itself = not self.is_dead
        self.kill()

    def kill(self) -> None:
        if self.is_dead:
            return
        self.is_dead = True
        self.stage.note("killed", self.name)
        self._graveyard.extend(self._parked)
        self._parked.clear()
        for socket in self.sockets:
            socket.kernel_closes()
        for notify in self.on_death:
            notify(self)

    def let_go(self) -> None:
        """Let its remaining tasks run at the history's end, to be cancelled."""
        self._is_over = True
        self.stage.loop.take_back([*self._graveyard, *self._parked])
        self._graveyard.clear()
        self._parked.clear()

    def pause(self) -> None:
        if not self.is_dead and self.paused_at is None:
            self.paused_at = self.stage.now
            self.stage.note("paused", self.name)

    def resume(self) -> None:
        if self.is_dead or self.paused_at is None:
            return
        self.paused_at = None
        self.stage.note("resumed", self.name)
        self.stage.loop.take_back(self._parked)
        self._parked.clear()
        for notify in self.on_resume:
            notify()


class SimulatedClock:
    """Clocks of a process: boot and monotonic go on while it is paused, the wall clock may be wrong."""

    def __init__(self, loop: SimulatedLoop, rng: random.Random) -> None:
        self._loop = loop
        self._boot_offset = rng.uniform(100, 1e6)
        self._wall_offset_ms = rng.randint(-5000, 5000)

    def boot(self) -> float:
        return self._loop.now + self._boot_offset

    def monotonic(self) -> float:
        return self._loop.now + self._boot_offset / 2

    def wall_ms(self) -> int:
        return 1_790_000_000_000 + int(self._loop.now * 1000) + self._wall_offset_ms
