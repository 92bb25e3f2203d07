"""One search of the logs follows a payment, by its own id or by its request's."""

import json
from typing import Any

from eventually import eventually
from in_memory.written_log import written_log
from stored.deliveries import all_delivered
from system import System
from wire.endpoints import add_endpoint
from wire.shop_terminal import shop_terminal
from wire.webhook_receiver import receiving

REQUEST_ID = "till-7-receipt-0042"


async def test_one_search_follows_a_payment(system: System) -> None:
    """From the request through the worker's session to the webhook; the request's id goes with messages."""
    pos = await system.pos()
    await system.worker()
    await system.notifier()
    async with receiving() as hooks, shop_terminal() as shop:
        await add_endpoint(system.database, system.settings, pos.login.merchant_id, hooks.url)
        with written_log("json", "info", "test") as log:
            answered = await pos.pay(shop.host, headers={"X-Request-Id": REQUEST_ID})
            await hooks.heard(1)
            await eventually(lambda: all_delivered(system.database))
            lines = [json.loads(line) for line in log.getvalue().splitlines()]

    payment_id = answered.json()["payment"]["id"]
    for found in (by(lines, "payment_id", payment_id), by(lines, "request_id", REQUEST_ID)):
        assert {"request answered", "session ended", "delivery attempt succeeded"} <= found.keys()
    access = by(lines, "request_id", REQUEST_ID)["request answered"]
    assert (access["method"], access["route"]) == ("POST", "/v1/connector/order")
    assert (access["status"], access["payment_id"]) == (200, payment_id)
    assert access["seconds"] > 0


def by(lines: list[dict[str, Any]], name: str, value: str) -> dict[str, dict[str, Any]]:
    """Return the lines with this value by their event."""
    return {line["event"]: line for line in lines if line.get(name) == value}


async def test_a_request_has_one_access_line(system: System) -> None:
    """With its error's code; a health check has none, and a path without route is not written into it."""
    api = await system.api()
    pos = await system.pos(api)
    with written_log("json", "info", "test") as log:
        await pos.send({})
        await api.client.get("/v1/payments/pay_1", headers=pos.login.headers)
        await api.client.get("/secret/of/a/client")
        await api.client.get("/v1/connector/healthcheck")
        lines = [json.loads(line) for line in log.getvalue().splitlines()]

    access = [line for line in lines if line["event"] == "request answered"]
    assert [(line["route"], line["status"], line.get("error")) for line in access] == [
        ("/v1/connector/order", 400, "required.openapi.requestValidation"),
        ("/v1/payments/{payment_id}", 404, "unknown.resource.not.found"),
        ("none", 404, "unknown.resource.not.found"),
    ]
    assert access[1]["payment_id"] == "pay_1"
    assert not [line for line in lines if line["logger"] != "httpx" and "secret" in str(line)]
