"""The public API as the sandbox calls it, and the register that loses its network."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI, Request

from sandbox.register.draft import Draft, with_product
from sandbox.register.sale import NO_NETWORK
from sandbox.register.till import Till
from sandbox.run.cloud_api import CloudApi
from sandbox.tracing.trace import Trace
from shared.runtime.clock import SystemClock


@pytest.fixture
def asked() -> list[str]:
    """Paths as they were sent, escapes included."""
    return []


@pytest.fixture
async def api(asked: list[str]) -> AsyncIterator[CloudApi]:
    """An API that knows nothing and notes what it is asked."""
    app = FastAPI()

    @app.api_route("/{path:path}", methods=["GET", "POST", "PUT"])
    async def take(request: Request) -> dict[str, list[str]]:
        asked.append(request.scope["raw_path"].decode())
        return {"payments": [], "events": []}

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport) as http:
        yield CloudApi(http, "http://api", "till", "secret")


async def test_an_id_stays_one_part_of_the_path(api: CloudApi, asked: list[str]) -> None:
    """A slash in what somebody typed as an id leads to no other resource."""
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


async def test_an_unplugged_register_asks_nothing(api: CloudApi, asked: list[str]) -> None:
    """Neither for the order nor for its payment; each wish is kept with the reason."""
    clock = SystemClock()
    till = Till(api, clock, Trace(clock), os.urandom)
    till.draft = replace(with_product(Draft(), "TARTE", 1), terminal_id="counter-1")
    await till.unplug()

    sale = till.pay()
    await till.look(sale)

    assert asked == []
    assert [(one.what, one.problem) for one in sale.askings] == [("order", NO_NETWORK), ("look", NO_NETWORK)]
    await till.close()
