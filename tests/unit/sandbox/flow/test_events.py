"""The live flow's stream is drawn once for earlier events, and again for each event that concerns it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi.sse import ServerSentEvent

from sandbox.flow.app import FlowPage, undecided_title
from sandbox.pages.render import Pages
from sandbox.run.cloud_api import CloudApi
from sandbox.tracing.steps import Step, System
from sandbox.tracing.trace import Trace
from shared.runtime.clock import SystemClock


class Watched:
    """A live flow page whose API answers with an empty history."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.trace = Trace(SystemClock())
        api = CloudApi(http, "http://127.0.0.1", "name", "secret")
        self.page = FlowPage(api, self.trace, lambda _: None, Pages("sandbox.flow", system="Live flow"))

    def paid(self, payment: str) -> None:
        for source, target, step in (
            (System.CLOUD_API, System.TERMINAL, Step.TERMINAL_CALLED),
            (System.CLOUD_API, System.REGISTER, Step.RESULT_TO_REGISTER),
            (System.CLOUD_API, System.MERCHANT, Step.WEBHOOK_SENT),
        ):
            self.trace.record(source, target, step, payment, order_id=f"of {payment}")


@asynccontextmanager
async def watched(asked: list[str]) -> AsyncIterator[Watched]:
    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, json={"events": []})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        yield Watched(http)


async def _next(events: AsyncIterator[ServerSentEvent]) -> ServerSentEvent:
    return await asyncio.wait_for(anext(events), 10)


async def test_earlier_events_are_drawn_once_and_ask_for_one_history() -> None:
    """However many payments the trace holds."""
    asked: list[str] = []
    async with watched(asked) as live:
        for number in range(300):
            live.paid(f"P{number}")
        live.trace.close()

        drawn = [event async for event in live.page.events("P7")]

    assert len(drawn) == 1
    assert asked == ["/v1/payments/P7/events"]
    assert "of P7" in json.dumps(drawn[0].data)


async def test_the_newest_payment_is_shown_once_it_has_begun() -> None:
    """Without a chosen payment, the page changes to each new one."""
    asked: list[str] = []
    async with watched(asked) as live:
        live.paid("P1")
        events = live.page.events()
        await _next(events)

        # A millisecond later: the newest is the one that began last.
        await asyncio.sleep(0.005)
        live.paid("P2")
        drawn = await _next(events)

    assert asked == ["/v1/payments/P1/events", "/v1/payments/P2/events"]
    assert "of P2" in json.dumps(drawn.data)


async def test_events_of_other_payments_that_change_no_list_draw_nothing() -> None:
    """A chosen payment's page is not sent again."""
    asked: list[str] = []
    async with watched(asked) as live:
        live.paid("P1")
        live.paid("P2")
        events = live.page.events("P1")
        await _next(events)

        for _ in range(50):
            live.trace.record(System.CLOUD_API, System.MERCHANT, Step.WEBHOOK_SENT, "P2")
        own = live.trace.record(System.CLOUD_API, System.MERCHANT, Step.WEBHOOK_SENT, "P1")
        drawn = await _next(events)

    assert drawn.id == str(own.number)
    assert asked == ["/v1/payments/P1/events"] * 2


def test_a_payment_that_ended_without_a_card_is_not_called_undecided() -> None:
    """Nothing will show any more whether a bank would have been asked."""
    assert undecided_title([]) == undecided_title([{"state": "queued"}])
    assert undecided_title([{"state": "queued"}, {"state": "expired"}]) == "Ended without a card: expired"
