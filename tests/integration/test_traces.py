"""One trace follows a payment from its client to its webhook, whatever process works for it."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from eventually import eventually
from in_memory.traced import (
    CLIENTS_SPAN,
    TRACE_ID,
    TRACEPARENT,
    Spans,
    id_of,
    parent_of,
    trace_of,
    tracing_in_memory,
)
from in_memory.written_log import written_log
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from prometheus_client.exposition import choose_encoder
from stored.deliveries import all_delivered, all_published_late
from system import Pos, System
from wire.endpoints import add_endpoint
from wire.shop_terminal import shop_terminal
from wire.webhook_receiver import receiving

from sandbox.terminal.script.behaviour import Behaviour

REQUEST_ID = "till-7-receipt-0042"
HEADERS = {"traceparent": TRACEPARENT, "tracestate": "vendor=x", "X-Request-Id": REQUEST_ID}


@pytest.fixture
def spans() -> Iterator[Spans]:
    with tracing_in_memory() as found:
        yield found


async def test_one_trace_leads_from_the_client_to_the_webhook(spans: Spans, system: System) -> None:
    """API, publish, worker, session, reply, wake-up, notifier, post: each the child of its cause."""
    api = await system.api()
    pos = await system.pos(api)
    worker = await system.worker()
    await system.notifier()
    async with receiving() as hooks, shop_terminal() as shop:
        await add_endpoint(system.database, system.settings, pos.login.merchant_id, hooks.url)
        answered = await pos.pay(shop.host, headers=HEADERS)
        (hook,) = await hooks.heard(1)
        await eventually(spans.has("process", 2))

    payment_id = answered.json()["payment"]["id"]
    assert {trace_of(one) for one in spans.all()} == {TRACE_ID}
    assert tree(spans.all()) == {
        "POST /v1/connector/order": CLIENTS_SPAN,
        "publish payments": "POST /v1/connector/order",
        "process payments": "publish payments",
        "concert session": "process payments",
        "publish (temporary)": "process payments",
        "publish notify.merchant": "process payments",
        "process notify.merchant": "publish notify.merchant",
        "POST": "process notify.merchant",
    }
    by_name = {plain(one): one for one in spans.all()}
    assert hook.headers["traceparent"] == f"00-{TRACE_ID}-{id_of(by_name['POST'])}-01"
    assert {one.context.trace_state.get("vendor") for one in spans.all()} == {"x"}
    session = dict(by_name["concert session"].attributes or {})
    assert session["cloud_terminal.payment_id"] == payment_id
    assert session["cloud_terminal.session.event"] == "answered_done"
    assert (session["network.peer.address"], session["network.peer.port"]) == (shop.host, 8888)
    request = dict(by_name["POST /v1/connector/order"].attributes or {})
    assert (request["http.response.status_code"], request["cloud_terminal.payment_id"]) == (200, payment_id)
    assert nothing_private(spans.all(), answered.json())
    for process, name in ((api, "added_latency"), (worker, "session_duration"), (worker, "queue_wait")):
        encode, _ = choose_encoder("application/openmetrics-text; version=1.0.0")
        exported = encode(process.metrics.registry).decode()
        assert f'# {{trace_id="{TRACE_ID}"}}' in next(
            line for line in exported.splitlines() if f"{name}_seconds_bucket" in line and "#" in line
        )


def plain(span: ReadableSpan) -> str:
    """Return a span's name without the prefix of the test's queues."""
    return re.sub(r" t-[^ ]*?\.(payments|notify)", r" \1", span.name)


def tree(found: list[ReadableSpan]) -> dict[str, str | None]:
    """Return each span's name with its parent's, or the id of a parent that is none of them."""
    names = {id_of(one): plain(one) for one in found}
    return {plain(one): names.get(parent_of(one) or "", parent_of(one)) for one in found}


def nothing_private(found: list[ReadableSpan], answer: dict[str, Any]) -> bool:
    """Return whether no span has an amount, a card or a text of the order, the terminal or the receipt."""
    written = json.dumps([dict(one.attributes or {}) for one in found] + [len(one.events) for one in found])
    payment = answer["payment"]
    private = [payment["masked_card"], payment["order_id"], str(answer["receipt"]), '"250"', " 250"]
    return not [each for each in private if each in written]


async def test_a_payment_whose_message_was_lost_keeps_request_and_trace(spans: Spans, system: System) -> None:
    """The sweep that publishes it again works for the payment's own request: one search still finds all."""
    pos = await system.pos()
    async with shop_terminal() as shop:
        stored = await pos.pay(shop.host, headers={**HEADERS, "Prefer": "respond-async"})
        await eventually(system.purged)
        with written_log("json", "info", "test") as log:
            await system.worker()
            await eventually(spans.has("concert session"))
            await eventually(lambda: "session ended" in log.getvalue())
            lines = [json.loads(line) for line in log.getvalue().splitlines()]

    assert {trace_of(one) for one in spans.named("concert session")} == {TRACE_ID}
    (ended,) = [line for line in lines if line["event"] == "session ended"]
    assert ended["payment_id"] == stored.json()["payment"]["id"]
    assert (ended["request_id"], ended["trace_id"]) == (REQUEST_ID, TRACE_ID)


async def test_a_payment_that_waited_for_its_terminal_has_its_own_request_and_trace(
    spans: Spans, system: System
) -> None:
    """It is published by the run of the payment before it."""
    pos = await system.pos()
    async with shop_terminal(Behaviour(delay_seconds=0.3)) as shop:
        with written_log("json", "info", "test") as log:
            await system.worker(sweeps=False)
            await pos.pay(shop.host, headers={"Prefer": "respond-async", "X-Request-Id": "first"})
            await pos.pay(shop.host, headers={**HEADERS, "Prefer": "respond-async"})
            await eventually(lambda: log.getvalue().count("session ended") == 2)
            lines = [json.loads(line) for line in log.getvalue().splitlines()]

    ended = [line for line in lines if line["event"] == "session ended"]
    assert [line["request_id"] for line in ended] == ["first", REQUEST_ID]
    assert ended[1]["trace_id"] == TRACE_ID != ended[0]["trace_id"]


async def test_a_delivery_that_the_sweep_publishes_keeps_request_and_trace(
    spans: Spans, system: System
) -> None:
    """A retry, too: its message was acknowledged long ago."""
    pos = await system.pos()
    await system.worker()
    async with receiving() as hooks, shop_terminal() as shop:
        hooks.statuses[:] = [503]
        await add_endpoint(system.database, system.settings, pos.login.merchant_id, hooks.url)
        with written_log("json", "info", "test") as log:
            await system.notifier()
            await pos.pay(shop.host, headers=HEADERS)
            await hooks.heard(1)
            await all_published_late(system.database)
            first, second = await hooks.heard(2)
            await eventually(lambda: all_delivered(system.database))
            await eventually(lambda: "delivery attempt succeeded" in log.getvalue())
            lines = [json.loads(line) for line in log.getvalue().splitlines()]

    (sent,) = [line for line in lines if line["event"] == "delivery attempt succeeded"]
    assert sent["request_id"] == REQUEST_ID
    assert {TRACE_ID in each.headers["traceparent"] for each in (first, second)} == {True}
    assert first.headers["traceparent"] != second.headers["traceparent"]


async def test_a_malformed_context_begins_a_trace_of_our_own(spans: Spans, system: System) -> None:
    """And a payment with one is stored as ever; the span of a request that fails says so."""
    api = await system.api()
    pos = await system.pos(api)
    await pos.send({}, {"traceparent": "00-" + "0" * 32 + "-00f067aa0ba902b7-01", "tracestate": "=" * 9000})
    await api.client.get("/no/such/path/4970101234567893", headers={"traceparent": TRACEPARENT})
    await api.client.get("/v1/connector/healthcheck")

    malformed, unknown = spans.all()
    assert malformed.parent is None
    assert unknown.name == "GET"
    assert "4970101234567893" not in unknown.to_json()


class Failing(SpanProcessor):
    """A processor that fails at everything."""

    def on_start(self, span: Span, parent_context: object = None) -> None:
        raise RuntimeError(f"{span.name} {parent_context}")

    def on_end(self, span: ReadableSpan) -> None:
        raise RuntimeError(span.name)


async def test_a_payment_does_not_depend_on_its_trace(system: System) -> None:
    """Whatever fails in the SDK, it is carried out, answered and notified."""
    with tracing_in_memory(Failing()):
        api = await system.api()
        pos: Pos = await system.pos(api)
        await system.worker()
        async with shop_terminal() as shop:
            answered = await pos.pay(shop.host, headers=HEADERS)

    assert answered.json()["payment"]["state"] == "succeeded"
