"""Broker short of memory: every order is answered at once, and no restart is needed afterwards."""

import asyncio
import time

import httpx
import pytest
from eventually import eventually
from loopback import terminal_host
from orders import order_for
from running.attacks import Target

from sandbox.servers.start import RunningServer

CALLERS = 20
ORDERS_EACH = 10
#: A wait for the broker's confirmation would take so long; see `publish_timeout_seconds`.
PUBLISH_TIMEOUT_SECONDS = 25
AT_ONCE_SECONDS = 5


@pytest.fixture
def broker_url(own_broker: RunningServer) -> str:
    return own_broker.url


@pytest.fixture
def more_settings() -> dict[str, object]:
    return {"publish_timeout_seconds": PUBLISH_TIMEOUT_SECONDS}


async def test_under_an_alarm_nobody_waits_for_the_broker(target: Target, own_broker: RunningServer) -> None:
    """200 orders are refused, safe to retry; readiness names the alarm; then orders are accepted again."""
    management = (await target.process.logged("management port is open"))["port"]
    readiness_url = f"http://127.0.0.1:{management}/readyz"
    seconds: list[float] = []

    async with target.pos() as pos:

        async def order() -> httpx.Response:
            began = time.perf_counter()
            answered = await pos.send(order_for(terminal_host()), {"Prefer": "respond-async"})
            seconds.append(time.perf_counter() - began)
            return answered

        async def send() -> None:
            for _ in range(ORDERS_EACH):
                answered = await order()
                assert answered.status_code == 500, answered.text
                error = answered.json()["error"]
                assert error["code"] == "unavailable.broker.internal.server.error"
                assert error["details"]["safe_to_retry"] is True

        async def readiness_names_it() -> bool:
            return "low on memory" in (await pos.client.get(readiness_url)).text

        await asyncio.to_thread(own_broker.raise_alarm)
        try:
            async with target.attacked("orders under a broker's alarm", health_is_red=True):
                await eventually(readiness_names_it)
                await asyncio.gather(*(send() for _ in range(CALLERS)))
        finally:
            await asyncio.to_thread(own_broker.clear_alarm)

        async def is_accepted() -> bool:
            return (await order()).status_code == 202

        await eventually(is_accepted)

    target.print_line(f"  {CALLERS * ORDERS_EACH} orders refused, the slowest after {max(seconds):.2f} s")
    assert max(seconds) < AT_ONCE_SECONDS
