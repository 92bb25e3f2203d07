"""Base of every model: the loop, its timers, and the history."""

import random
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any

from tests.simulation.engine.faults import Faults
from tests.simulation.engine.loop import SimulatedLoop
from tests.simulation.judge.history import History


class Stage:
    """Time and order of one history. `later` and `spawn` run as the world, whoever calls them."""

    def __init__(self, loop: SimulatedLoop, rng: random.Random, faults: Faults, history: History) -> None:
        self.loop = loop
        self.rng = rng
        self.faults = faults
        self.history = history
        #: Without an owner; made before any process is.
        self.context: Context = copy_context()
        self.tasks: list[Any] = []

    @property
    def now(self) -> float:
        return self.loop.now

    def later(self, seconds: float, call: Callable[..., object], *arguments: object) -> None:
        self.loop.call_later(seconds, call, *arguments, context=self.context)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(self.loop.create_task(coroutine, context=self.context.copy()))

    def note(self, what: str, about: object = "", **more: object) -> None:
        self.history.note(self.loop.now, what, about, more)
