"""Receiving of orders and pushes, and deliveries to merchant and Cloud API."""

import base64
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from eventually import eventually
from fastapi import FastAPI, Request, Response
from running.sandbox_chain import ORDERS, PASSPHRASE, Chain, order_notice, running_chain

from sandbox.gateway.messages import Push
from sandbox.hipay.bodies import OrderNotification
from sandbox.hipay.platform import Platform
from sandbox.hipay.settings import Merchant
from shared.runtime.clock import SystemClock
from shared.runtime.serving import listen, port_of, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_order_notification_is_taken_once(chain: Chain) -> None:
    """A repeat by webhook-id, or of the same payment under another id, changes nothing."""
    notice = order_notice("ORDER_1", 4000)

    answers = [
        await chain.notify_order(notice),
        await chain.notify_order(notice),
        await chain.notify_order(notice, message_id="dlv_other"),
    ]

    assert [answer.json()["new"] for answer in answers] == [True, False, False]
    assert len((await chain.get("hipay", "/waiting"))["orders"]) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"authorization": ""},
        {"authorization": "Basic " + base64.b64encode(b"cloud:wrong").decode()},
        {"authorization": "Basic ???"},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "nonsense"},
        {"webhook-id": "dlv_another"},
        {"webhook-timestamp": "1000000000"},
    ],
    ids=str,
)
async def test_a_wrong_sender_is_refused(chain: Chain, change: dict[str, str]) -> None:
    """Credentials and signature must both be right."""
    sent = (await chain.notify_order(order_notice("ORDER_1", 4000))).request
    await chain.post("hipay", "/reset")

    answer = await chain.http.post(sent.url, content=sent.content, headers={**dict(sent.headers), **change})

    assert answer.status_code == 401
    assert (await chain.get("hipay", "/waiting"))["orders"] == []


@pytest.mark.parametrize(
    "broken",
    [
        {"operation": "gift"},
        {"order": {}},
        {"created_at": "yesterday"},
        {"reference": "pay_1"},
        {"order": None},
    ],
    ids=str,
)
async def test_a_body_that_is_no_order_notification_is_refused(chain: Chain, broken: dict[str, Any]) -> None:
    """400 with the problem; the notifier gives it up."""
    answer = await chain.notify_order({**order_notice("ORDER_1", 4000), **broken})

    assert answer.status_code == 400


async def test_the_orders_own_notify_url_is_notified(chain: Chain) -> None:
    """In place of the merchant's default."""
    url = f"{chain.urls['merchant']}/hipay/notifications?own"
    reference = await chain.order("ORDER_1", 4000, notify_url=url)
    await chain.authorise(reference, 4000)

    (notification,) = await eventually(lambda: chain.get("hipay", "/notifications"))
    assert notification["url"] == url


async def test_only_wanted_statuses_are_notified(chain: Chain) -> None:
    """A merchant that wants Captured only gets no Authorized."""
    url = f"{chain.urls['merchant']}/hipay/notifications"
    platform = Platform(
        merchant=Merchant(notify_url=url, passphrase=PASSPHRASE, statuses=frozenset({118})),
        evidence_target=None,
        http=chain.http,
        clock=SystemClock(),
        trace=chain.trace,
        retry_seconds=(0.05,),
    )
    notice = order_notice("ORDER_1", 4000)
    answer = await chain.authorise(notice["reference"], 4000)
    await chain.collect(chain.ended(notice["reference"], 4000, answer))
    pushes = (await chain.get("preludd", "/records"))["pushes"]

    async with platform.notifications:
        platform.take_order(OrderNotification.model_validate(notice), notice, "dlv_1")
        for push in pushes:
            platform.take_push(Push.model_validate(push))
        await eventually(chain.notified)

    assert [one.content.status for one in platform.notifications.messages] == [118]
    assert await chain.notified() == [("ORDER_1", "118")]


async def test_the_merchants_settings_are_changed_while_it_runs(chain: Chain) -> None:
    """Captured only, without the optional parts; a field that is left out stays, a reset restores all."""
    wanted = {"statuses": [118], "sends_operation": False}
    await chain.post("hipay", "/settings", wanted)
    changed = await chain.post("hipay", "/settings", {"sends_custom_data": False})
    reference = await chain.order("ORDER_1", 4000, order={"custom_data": {"till": "3"}})
    answer = await chain.authorise(reference, 4000)
    await chain.collect(chain.ended(reference, 4000, answer))

    await eventually(chain.notified)
    (received,) = await chain.get("merchant", "/hipay/notifications")
    assert changed == {**wanted, "sends_custom_data": False}
    assert received["content"]["status"] == "118"
    assert not any(name.startswith(("operation[", "custom_data[")) for name in received["content"])
    await chain.post("hipay", "/settings", {"statuses": [117]}, status=422)
    await chain.post("hipay", "/reset")
    assert await chain.get("hipay", "/settings") == {
        "statuses": None,
        "sends_operation": True,
        "sends_custom_data": True,
    }


async def test_notifications_are_retried_until_acknowledged_and_can_be_doubled(chain: Chain) -> None:
    """409, 500, then taken, then doubled: the merchant's server drops the repeat."""
    await chain.post("hipay", "/script", {"notifications": {"double": True}})
    await chain.post("merchant", "/script", {"target": "notifications", "status": 409, "times": 2})
    reference = await chain.order("ORDER_1", 4000)
    await chain.authorise(reference, 4000)

    async def all_came() -> list[int]:
        received = await chain.get("merchant", "/hipay/notifications")
        return [one["status"] for one in received] if len(received) == 4 else []

    assert await eventually(all_came) == [409, 409, 200, 200]
    assert await chain.notified() == [("ORDER_1", "116")]


async def test_captured_may_come_before_authorized(chain: Chain) -> None:
    """Disorder by script: a strict shop answers 409 until the other is there."""
    await chain.post("hipay", "/script", {"notifications": {"reorder": True, "hold_seconds": 20}})
    await chain.post("merchant", "/script", {"target": "notifications", "times": 0, "strict_order": True})
    reference = await chain.order("ORDER_1", 4000)
    answer = await chain.authorise(reference, 4000)
    await eventually(lambda: chain.statuses("ORDER_1"))
    await chain.collect(chain.ended(reference, 4000, answer))

    async def both() -> bool:
        return await chain.notified() == [("ORDER_1", "116"), ("ORDER_1", "118")]

    await eventually(both)
    received = await chain.get("merchant", "/hipay/notifications")
    assert received[0]["status"] == 409


@asynccontextmanager
async def _api(statuses: Sequence[int], reports: list[Any]) -> AsyncIterator[str]:
    """Serve an evidence route that answers these statuses in turn; the last one repeats."""
    app = FastAPI()

    @app.post("/v1/gateway/evidence")
    async def take(request: Request) -> Response:
        status = statuses[min(len(reports), len(statuses) - 1)]
        reports.append((request.headers["authorization"], json.loads(await request.body())))
        return Response(status_code=status)

    socket = listen("127.0.0.1", 0, setting="api")
    url = f"http://127.0.0.1:{port_of(socket)}"
    async with serving(app, socket, drain_seconds=1):
        yield url


async def test_the_cloud_api_gets_completed_and_collected_records() -> None:
    """With the reference where the record carries it, else with the matched payment; no authorisation."""
    reports: list[Any] = []
    async with _api([200], reports) as url, running_chain(url) as chain:
        own = await chain.order("ORDER_1", 4000)
        answer = await chain.authorise(own, 4000)
        ended = chain.ended(own, 4000, answer)
        await chain.complete(ended)
        await chain.collect(ended)
        matched = await chain.order("ORDER_2", 500)
        await chain.collect(chain.ended(None, 500))
        await eventually(lambda: len(reports) == 3)

    reported = {
        body["record_id"].rpartition("/")[2] + ":" + (body.get("reference") or "-"): body
        for _, body in reports
    }
    expected = "Basic " + base64.b64encode(b"gw:secret").decode()
    assert {authorization for authorization, _ in reports} == {expected}
    assert set(reported) == {f"completion:{own}", f"collection:{own}", "collection:-"}
    assert reported["collection:-"]["payment_id"] == matched


@pytest.mark.parametrize(
    ("statuses", "ended"),
    [([404], "give_up"), ([408, 429, 200], "acknowledged")],
    ids=["for good", "for now"],
)
async def test_evidence_that_the_api_refuses_is_given_up_or_retried(statuses: list[int], ended: str) -> None:
    """404: the payment is unknown, and stays so; 408 and 429 are transient."""
    reports: list[Any] = []
    async with _api(statuses, reports) as url, running_chain(url) as chain:
        reference = await chain.order("ORDER_1", 4000)
        await chain.collect(chain.ended(reference, 4000))

        async def has_ended() -> bool:
            sent = await chain.get("hipay", "/evidence")
            return bool(sent) and sent[0]["ended"] == ended

        await eventually(has_ended)
    assert len(reports) == len(statuses)


async def test_a_push_to_the_wrong_path_is_refused(chain: Chain) -> None:
    """Collections and the rest have paths of their own; other bodies are 422."""
    await chain.authorise(None, 100)
    (push,) = (await chain.get("preludd", "/records"))["pushes"]
    wrong: httpx.Response = await chain.http.post(
        chain.urls["hipay"] + "/preludd/collections", json={key: push[key] for key in push if key != "ended"}
    )

    assert wrong.status_code == 422
    assert ORDERS.username not in wrong.text
