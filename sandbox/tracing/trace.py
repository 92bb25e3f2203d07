"""Trace of one sandbox process: events recorded by every system, read and followed by pages and tests."""

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from sandbox.tracing.steps import Step, System
from shared.runtime.clock import Clock

#: Older events are dropped.
KEPT_EVENTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """A message from one system to another, at `at_ms` (Unix time).

    `number` counts the process's events from 1 and goes on after a reset. `reference` is the payment's id
    where the message carried it. `detail` is JSON, without whole card numbers.
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
    """Bounded memory of events, with followers."""

    def __init__(self, clock: Clock) -> None:
        self._clock: Final = clock
        self._events: Final[deque[TraceEvent]] = deque(maxlen=KEPT_EVENTS)
        self._last_number = 0
        self._changed = asyncio.Event()
        self._is_closed = False

    def record(
        self, source: System, target: System, step: Step, reference: str | None = None, **detail: Any
    ) -> TraceEvent:
        """Keep one event with the current time, and wake the followers."""
        self._last_number += 1
        event = TraceEvent(self._last_number, self._clock.wall_ms(), source, target, step, reference, detail)
        self._events.append(event)
        self._wake()
        return event

    @property
    def last_number(self) -> int:
        """Return the newest event's number; 0 before the first one."""
        return self._last_number

    def events(self, reference: str | None = None, *, after: int = 0) -> list[TraceEvent]:
        """Return the kept events after number `after`, the oldest first; `reference`: only that payment's."""
        # From the newest back: a follower reads after every event, and few are new.
        newest = itertools.takewhile(lambda event: event.number > after, reversed(self._events))
        found = [event for event in newest if reference in (None, event.reference)]
        return found[::-1]

    async def subscribe(self, *, after: int | None = None) -> AsyncIterator[TraceEvent]:
        """Yield every event after number `after` (None: from now on), until closed.

        A follower that lags more than `KEPT_EVENTS` misses the oldest. A number above the newest one is of an
        earlier process: the follower gets the events from now on.
        """
        seen = self._last_number if after is None else min(after, self._last_number)
        while not self._is_closed:
            changed = self._changed
            passed = self.events(after=seen)
            if not passed:
                await changed.wait()
            for event in passed:
                seen = event.number
                yield event

    def reset(self) -> None:
        """Drop the events; followers stay."""
        self._events.clear()

    def close(self) -> None:
        """End every subscription, so that a server with open streams can stop."""
        self._is_closed = True
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
