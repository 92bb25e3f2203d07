"""Hops as server-sent events, and as JSON."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent

from sandbox.tracing.trace import Trace, TraceEvent


async def hop_events(
    trace: Trace, *, reference: str | None = None, after: int | None = None
) -> AsyncIterator[ServerSentEvent]:
    """Yield the hops behind number `after` as events named `trace_event`, `id` their number, `data` their
    JSON.

    For a route with `response_class=EventSourceResponse`: FastAPI then writes the stream and keeps it alive.
    With `reference`, only that payment's hops.
    """
    async for trace_event in trace.subscribe(after=after):
        if reference in (None, trace_event.reference):
            yield _event(trace_event)


def trace_routes(trace: Trace) -> APIRouter:
    """Return `GET /hops` (JSON) and `GET /hops/stream` (server-sent events) for a sandbox application."""
    router = APIRouter()

    @router.get("/hops")
    async def hops(reference: str | None = None, after: int = 0) -> list[dict[str, Any]]:
        """Return what passed, the oldest first."""
        return [trace_event.to_json() for trace_event in trace.hops(reference, after=after)]

    @router.get("/hops/stream", response_class=EventSourceResponse)
    async def stream(
        reference: str | None = None,
        after: int | None = None,
        last_event_id: Annotated[int | None, Header()] = None,
    ) -> AsyncIterator[ServerSentEvent]:
        """Follow what passes; a browser that reconnects goes on where it was."""
        start = last_event_id if last_event_id is not None else after
        async for event in hop_events(trace, reference=reference, after=start):
            yield event

    return router


def _event(trace_event: TraceEvent) -> ServerSentEvent:
    return ServerSentEvent(event="hop", id=str(trace_event.number), data=trace_event.to_json())
