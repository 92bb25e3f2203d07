"""Trace events over HTTP: as server-sent events, and as JSON."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent

from sandbox.tracing.trace import Trace, TraceEvent


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
