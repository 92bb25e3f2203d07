"""Trace of one sandbox process: events recorded by every system, read and followed over HTTP."""

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent

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


async def payment_events(
    trace: Trace, *, reference: str | None = None, after: int | None = None
) -> AsyncIterator[ServerSentEvent]:
    """Yield the events after number `after` as server-sent events `trace_event`; `id` is their number.

    For a route with `response_class=EventSourceResponse`: FastAPI then writes the stream and keeps it alive.
    reference: only that payment's events.
    """
    async for trace_event in trace.subscribe(after=after):
        if reference in (None, trace_event.reference):
            yield _event(trace_event)


def trace_routes(trace: Trace) -> APIRouter:
    """Return `GET /trace` (JSON) and `GET /trace/stream` (server-sent events) for a sandbox application."""
    router = APIRouter()

    @router.get("/trace")
    async def events(reference: str | None = None, after: int = 0) -> list[dict[str, Any]]:
        """Return the kept events, the oldest first."""
        return [trace_event.to_json() for trace_event in trace.events(reference, after=after)]

    @router.get("/trace/stream", response_class=EventSourceResponse)
    async def stream(
        reference: str | None = None,
        after: int | None = None,
        last_event_id: Annotated[int | None, Header()] = None,
    ) -> AsyncIterator[ServerSentEvent]:
        """Follow the events; a browser that reconnects goes on after the last one that it got."""
        start = last_event_id if last_event_id is not None else after
        async for event in payment_events(trace, reference=reference, after=start):
            yield event

    return router


def _event(trace_event: TraceEvent) -> ServerSentEvent:
    return ServerSentEvent(event="trace_event", id=str(trace_event.number), data=trace_event.to_json())
