"""Orders in front of the framework: the framework's own way to them gives the same answers."""

from typing import Any, Final

import httpx
import pytest
from orders import order_for
from running.api_alone import ApiAlone, Caller

from api.connector import routes
from shared.storage.db.engine import DatabaseUnavailable

PATH: Final = "/v1/connector/order"
JSON: Final = {"content-type": "application/json"}
#: Of each request by itself.
OWN: Final = ("x-request-id", "ratelimit-remaining", "ratelimit-reset")


async def answers(
    api: ApiAlone, pos: Caller, requests: list[dict[str, Any]]
) -> list[tuple[int, dict[str, str], str]]:
    """Send the requests; return status, headers and body of each answer."""
    transport = httpx.ASGITransport(api.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://api", headers=pos.client.headers
    ) as client:
        answered = [await client.request(**{"url": PATH, "method": "POST", **one}) for one in requests]
    return [
        (
            one.status_code,
            {name: "" if name in OWN else value for name, value in one.headers.items()},
            one.text,
        )
        for one in answered
    ]


async def test_an_order_is_answered_as_by_the_framework(
    api: ApiAlone, pos: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refusals, and what is no order: byte for byte, but for what each request has of its own."""
    order = order_for("127.0.0.9", 250)
    requests: list[dict[str, Any]] = [
        {"json": order, "headers": {"authorization": "Basic !!!"}},
        {"json": order, "headers": {"idempotency-key": "a blank"}},
        {"json": {}},
        {"content": b"{", "headers": JSON},
        {"content": b"{}", "headers": {"content-type": "text/plain"}},
        {"content": b"x" * 300_000, "headers": JSON},
        *({"method": method} for method in ("GET", "HEAD", "OPTIONS", "PUT")),
        {"url": f"{PATH}/"},
    ]

    in_front = await answers(api, pos, requests)
    monkeypatch.setattr(routes, "_PATH", "")

    assert [status for status, *_ in in_front] == [401, 400, 400, 400, 415, 413, 405, 405, 405, 405, 404]
    assert in_front == await answers(api, pos, requests)


@pytest.mark.parametrize("error", [RuntimeError("unexpected"), DatabaseUnavailable("gone")])
async def test_an_error_of_an_order_is_answered_as_by_the_framework(
    api: ApiAlone, pos: Caller, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Whatever a payment raises has the contract's envelope."""

    async def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(type(api.payments), "pay", fail)
    requests = [{"json": order_for("127.0.0.9", 250)}]

    in_front = await answers(api, pos, requests)
    monkeypatch.setattr(routes, "_PATH", "")

    assert in_front[0][0] == 500
    assert in_front == await answers(api, pos, requests)
