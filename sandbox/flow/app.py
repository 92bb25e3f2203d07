"""The live flow's application: a page, its stream, and JSON."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

import httpx
from fastapi import FastAPI, HTTPException
from fastapi.responses import HTMLResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from sandbox.flow.diagram import draw
from sandbox.flow.rows import TITLES
from sandbox.flow.story import BATCH_STEPS, BEGINNINGS, Batch, Json, Story, payments_in, story_of
from sandbox.pages.app import new_app
from sandbox.pages.problems import show_problems
from sandbox.pages.render import NavLink, Pages, templates
from sandbox.run.cloud_api import ApiAnswered, CloudApi
from sandbox.tracing.steps import Flow, Step
from sandbox.tracing.trace import Trace, TraceEvent, trace_routes

SYSTEM: Final = "Live flow"
#: Payments in the list.
LISTED: Final = 25
_PACKAGE: Final = "sandbox.flow"
#: Events after which the payment's history at the API has grown.
HISTORY_GREW: Final = frozenset({Step.RESULT_TO_REGISTER, Step.WEBHOOK_SENT, Step.EVIDENCE_TAKEN})
_ENDS_WITHOUT_A_CARD: Final = frozenset({"aborted", "cancelled", "expired", "unreachable"})
_FRAGMENTS: Final = ("payments", "picture")

BatchOf = Callable[[str], Batch | None]


class FlowPage:
    """Page of the chosen payment, or always of the newest."""

    def __init__(self, api: CloudApi, trace: Trace, batch_of: BatchOf, pages: Pages) -> None:
        self._api: Final = api
        self._trace: Final = trace
        self._batch_of: Final = batch_of
        self._pages: Final = pages
        environment = templates(_PACKAGE)
        self._fragments: Final = {name: environment.get_template(f"{name}.html") for name in _FRAGMENTS}

    async def page(self, payment: str = "") -> HTMLResponse:
        """Show the page."""
        history = await self._history(payment or self._newest())
        return self._pages.page("flow.html", **self._context(payment, history))

    async def events(self, payment: str = "") -> AsyncIterator[ServerSentEvent]:
        """Yield the page's moving parts, now and after each change of the chosen or newest payment."""
        rendered_to = self._trace.last_number
        shown = payment or self._newest()
        history = await self._history(shown)
        yield self._parts(rendered_to, payment, history)
        async for trace_event in self._trace.subscribe(after=rendered_to):
            grew = trace_event.step in HISTORY_GREW and trace_event.reference == shown
            # Events that came together are drawn once.
            if not grew and (trace_event.number <= rendered_to or not _changes(trace_event, shown)):
                continue
            if trace_event.step in BEGINNINGS and not payment and (newest := self._newest()) != shown:
                shown, grew = newest, True
            if grew:
                history = await self._history(shown)
            rendered_to = self._trace.last_number
            yield self._parts(trace_event.number, payment, history)

    async def story(self, payment_id: str) -> dict[str, Any]:
        """Return a payment's flow as JSON: its kind, each step with its time or null; 404 without one."""
        events = self._trace.events()
        if not any(trace_event.reference == payment_id for trace_event in events):
            raise HTTPException(404, "No event of this payment is in the trace.")
        story = self._story(payment_id, await self._history(payment_id))
        return {
            "payment_id": payment_id,
            "order_id": story.order_id,
            "flow": story.flow,
            "started_at_ms": story.start_ms,
            "steps": _steps(story.flow or Flow.WITH_AUTHORISATION, story),
            "collection": _steps(Flow.COLLECTION, story) if story.collection else None,
        }

    async def reset(self) -> dict[str, bool]:
        """Drop the trace's events."""
        self._trace.reset()
        return {"reset": True}

    def _parts(self, number: int, chosen: str, history: Sequence[Json]) -> ServerSentEvent:
        context = self._context(chosen, history)
        parts = {name: fragment.render(context) for name, fragment in self._fragments.items()}
        return ServerSentEvent(event="parts", id=str(number), data={"parts": parts})

    def _newest(self) -> str:
        listed = payments_in(self._trace.events())
        return listed[0].payment_id if listed else ""

    async def _history(self, payment_id: str) -> list[Json]:
        if not payment_id:
            return []
        try:
            return await self._api.events(payment_id)
        except (httpx.HTTPError, ApiAnswered):
            return []

    def _story(self, payment_id: str, history: Sequence[Json]) -> Story:
        return story_of(payment_id, self._trace.events(), batch=self._batch_of(payment_id), history=history)

    def _context(self, chosen: str, history: Sequence[Json]) -> dict[str, Any]:
        payment_id = chosen or self._newest()
        story = self._story(payment_id, history) if payment_id else None
        pictures = []
        if story is not None:
            flow = story.flow or Flow.WITH_AUTHORISATION
            start_ms = story.start_ms
            pictures.append(
                (
                    TITLES[flow] if story.flow else undecided_title(history),
                    draw(flow, story.events, start_ms=start_ms, accepted_at_ms=story.accepted_at_ms),
                )
            )
            if story.collection:
                pictures.append(
                    (
                        TITLES[Flow.COLLECTION],
                        draw(Flow.COLLECTION, story.collection, start_ms=story.collection[0].at_ms),
                    )
                )
        return {
            "chosen": chosen,
            "shown": payment_id,
            "listed": payments_in(self._trace.events())[:LISTED],
            "story": story,
            "pictures": pictures,
        }


def make_app(
    *, api: CloudApi, trace: Trace, batch_of: BatchOf, navigation: Sequence[NavLink] = ()
) -> FastAPI:
    """Return the live flow's application; its streams end with `trace.close()`.

    batch_of: returns the collection in which the terminal sent a payment, by its journal.
    """
    pages = Pages(_PACKAGE, system=SYSTEM, subtitle="Messages as they pass", navigation=navigation)
    page = FlowPage(api, trace, batch_of, pages)
    app = new_app(SYSTEM, package=_PACKAGE)
    show_problems(app, pages)
    app.get("/", include_in_schema=False)(page.page)
    app.get("/events", response_class=EventSourceResponse, include_in_schema=False)(page.events)
    app.get("/payments/{payment_id}")(page.story)
    app.post("/reset")(page.reset)
    app.include_router(trace_routes(trace))
    return app


def undecided_title(history: Sequence[Json]) -> str:
    """Return the title while nothing shows whether a bank was asked, and where nothing ever will."""
    state = history[-1]["state"] if history else ""
    if state in _ENDS_WITHOUT_A_CARD:
        return f"Ended without a card: {state}"
    return "Not decided yet: with or without authorisation"


def _changes(trace_event: TraceEvent, shown: str) -> bool:
    """Return whether the event changes the page: the payment's diagram, or the list."""
    return trace_event.reference == shown or trace_event.step in BATCH_STEPS or trace_event.step in BEGINNINGS


def _steps(flow: Flow, story: Story) -> list[dict[str, Any]]:
    events = story.collection if flow is Flow.COLLECTION else story.events
    start_ms = story.collection[0].at_ms if flow is Flow.COLLECTION else story.start_ms
    drawn = draw(flow, events, start_ms=start_ms, accepted_at_ms=story.accepted_at_ms)
    return [
        {"number": arrow.number, "what": arrow.label, "time": arrow.time, "repeats": arrow.repeats}
        for arrow in drawn.arrows
    ]
