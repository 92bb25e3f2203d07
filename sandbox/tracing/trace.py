"""The hub of hops of one sandbox process: recorded by every system, read and followed by pages and tests."""

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from sandbox.tracing.steps import Step, System
from shared.runtime.clock import Clock

#: Older hops are forgotten.
KEPT_HOPS: Final = 10_000


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """Something that passed from one system to another, at `at_ms` (Unix time).

    `number` counts the process's hops from 1 and never falls, a reset included. `reference` is the payment's
    id where the passing message carried it. `detail` is small, JSON, and without whole card numbers.
    """

    number: int
    at_ms: int
    source: System
    target: System
    step: Step
    reference: str | None
    detail: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Trace:
    """Bounded memory of hops, and whoever follows them."""

    def __init__(self, clock: Clock) -> None:
        self._clock: Final = clock
        self._hops: Final[deque[TraceEvent]] = deque(maxlen=KEPT_HOPS)
        self._last_number = 0
        self._news = asyncio.Event()
        self._is_closed = False

    def record(
        self, source: System, target: System, step: Step, reference: str | None = None, **detail: Any
    ) -> TraceEvent:
        """Keep one hop, now, and tell whoever follows."""
        self._last_number += 1
        trace_event = TraceEvent(
            self._last_number, self._clock.wall_ms(), source, target, step, reference, detail
        )
        self._hops.append(trace_event)
        self._wake()
        return trace_event

    @property
    def last_number(self) -> int:
        """The newest hop's number; 0 before the first one."""
        return self._last_number

    def hops(self, reference: str | None = None, *, after: int = 0) -> list[TraceEvent]:
        """Return the kept hops behind number `after`, oldest first; only one payment's where asked."""
        # From the newest back: who follows asks after every hop, for few of them.
        newest = itertools.takewhile(lambda trace_event: trace_event.number > after, reversed(self._hops))
        found = [trace_event for trace_event in newest if reference in (None, trace_event.reference)]
        return found[::-1]

    async def subscribe(self, *, after: int | None = None) -> AsyncIterator[TraceEvent]:
        """Yield every hop behind number `after` (None: those that come from now on), until closed.

        A follower slower than `KEPT_HOPS` misses the oldest, never holds anybody up. One that knows a number
        which has not been given yet followed an earlier process: it sees what comes from now on.
        """
        seen = self._last_number if after is None else min(after, self._last_number)
        while not self._is_closed:
            news = self._news
            passed = self.hops(after=seen)
            if not passed:
                await news.wait()
            for trace_event in passed:
                seen = trace_event.number
                yield trace_event

    def reset(self) -> None:
        """Forget the hops; who follows stays."""
        self._hops.clear()

    def close(self) -> None:
        """End every subscription, so that a server with open streams can stop."""
        self._is_closed = True
        self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
