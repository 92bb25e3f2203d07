"""The sandbox's API client, and the register that loses its network."""

import json
import os
import shlex
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI, Request

from sandbox.register.cash_register import CashRegister
from sandbox.register.draft import Draft, with_product
from sandbox.register.sale import NO_NETWORK
from sandbox.run.cloud_api import CloudApi
from sandbox.tracing.trace import Trace
from shared.runtime.clock import SystemClock


@pytest.fixture
def asked() -> list[str]:
    """Return the requested paths, escapes included."""
    return []


@pytest.fixture
async def api(asked: list[str]) -> AsyncIterator[CloudApi]:
    """Serve an API that knows nothing and records the requested paths."""
    app = FastAPI()

    @app.api_route("/{path:path}", methods=["GET", "POST", "PUT"])
    async def take(request: Request) -> dict[str, list[str]]:
        asked.append(request.scope["raw_path"].decode())
        return {"payments": [], "events": []}

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport) as http:
        yield CloudApi(http, "http://api", "till", "secret")


async def test_an_id_stays_one_part_of_the_path(api: CloudApi, asked: list[str]) -> None:
    """A slash in an id leads to no other resource."""
    await api.payment("../terminals")
    await api.events("a/b")
    await api.cancel("a/b")
    await api.register_terminal("a/b")

    assert asked == [
        "/v1/payments/..%2Fterminals",
        "/v1/payments/a%2Fb/events",
        "/v1/payments/a%2Fb/cancel",
        "/v1/terminals/a%2Fb",
    ]


async def test_a_command_line_holds_any_text_as_one_word(api: CloudApi) -> None:
    """A shell reads back the order that the register sent, and runs nothing of it."""
    order = {"order": {"order_id": "'; touch /tmp/x; '$(id) `id` \\ \n \"", "name": "Café"}}

    words = shlex.split(api.curl("POST", "/v1/connector/order", order))

    assert words[:6] == ["curl", "-u", "till:secret", "-X", "POST", "http://api/v1/connector/order"]
    assert json.loads(words[-1]) == order


async def test_an_unplugged_register_sends_nothing(api: CloudApi, asked: list[str]) -> None:
    """Neither the order nor a look-up; each is kept with the reason."""
    clock = SystemClock()
    register = CashRegister(api, clock, Trace(clock), os.urandom)
    register.draft = replace(with_product(Draft(), "TARTE", 1), terminal_id="counter-1")
    await register.unplug()

    sale = register.pay()
    await register.look(sale)

    assert asked == []
    assert [(one.what, one.problem) for one in sale.sent_orders] == [
        ("order", NO_NETWORK),
        ("look", NO_NETWORK),
    ]
    await register.close()
