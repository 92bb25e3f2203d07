"""More orders at once than can be paid: each is answered, and another merchant is served as before."""

import asyncio
import json
import time
from collections import Counter
from contextlib import AsyncExitStack

import pytest
from loopback import terminal_host
from orders import order_for
from running.attacks import Target
from running.fault_runs import READY_LINE
from system import ORDER_PATH, Pos
from wire.raw_http import raw_connection, request

from sandbox.terminal.device.device import Device
from sandbox.terminal.server.server import VirtualTerminal

ORDERS = 1000
TERMINALS = 50
FLOOD_SECONDS = 10
ATTACKERS = 30
#: Longest time of a refusal on a machine that writes a thousand of them.
REFUSED_WITHIN_SECONDS = 30
PAID_WITHIN_SECONDS = 10


@pytest.fixture
def more_settings() -> dict[str, object]:
    """The shares that a credential has by default."""
    return {
        "order_requests_burst": 1000,
        "connections_before_login_limit": ORDERS + TERMINALS,
        "waiting_limit_per_merchant": 200,
    }


async def test_of_a_thousand_orders_at_once_each_is_paid_or_refused_safely(target: Target) -> None:
    """Twenty for each of 50 terminals: no error, nothing lost, a refusal stored nothing."""
    await target.start("terminal-worker", READY_LINE)
    statuses: Counter[int] = Counter()
    refused_after: list[float] = []
    async with AsyncExitStack() as stack:
        hosts = [terminal_host() for _ in range(TERMINALS)]
        for host in hosts:
            await stack.enter_async_context(VirtualTerminal(host, device=Device(request_idle_seconds=0)))

        async def order(number: int) -> None:
            body = json.dumps(order_for(hosts[number % TERMINALS])).encode()
            async with raw_connection(target.port) as connection:
                began = time.perf_counter()
                await connection.send(request("POST", ORDER_PATH, body, target.logins["merchant"]))
                status, headers, answered = await connection.answer(within_seconds=150)
            statuses[status] += 1
            if status == 200:
                assert json.loads(answered)["payment"]["state"] == "succeeded", answered
                return
            assert status in (429, 503), answered
            assert json.loads(answered)["error"]["details"]["safe_to_retry"] is True
            assert int(headers["retry-after"]) >= 1
            refused_after.append(time.perf_counter() - began)

        async with target.attacked(f"{ORDERS} orders at once", health_waits=True), asyncio.timeout(180):
            await asyncio.gather(*(order(number) for number in range(ORDERS)))

    stored = await target.system.payments()
    target.print_line(
        f"  {statuses[200]} paid, {len(refused_after)} refused, the slowest after"
        f" {max(refused_after, default=0):.2f} s"
    )
    assert {payment.state for payment in stored} == {"succeeded"}
    assert len(stored) == statuses[200] > 0
    assert max(refused_after, default=0) < REFUSED_WITHIN_SECONDS


async def test_one_merchants_flood_does_not_slow_another(target: Target) -> None:
    """30 connections order without a pause, beyond share and queue; another merchant goes on paying."""
    await target.start("terminal-worker", READY_LINE)
    host, silent = terminal_host(), terminal_host()
    statuses: Counter[int] = Counter()
    seconds: list[float] = []
    ends_at = time.monotonic() + FLOOD_SECONDS

    async def flood(pos: Pos) -> None:
        while time.monotonic() < ends_at:
            answered = await pos.send(order_for(silent), {"Prefer": "respond-async"})
            statuses[answered.status_code] += 1

    async with (
        target.pos() as attacker,
        target.pos() as shop,
        VirtualTerminal(host, device=Device(request_idle_seconds=0)),
        target.attacked("one merchant's flood of orders", health_waits=True),
    ):
        flooding = asyncio.gather(*(flood(attacker) for _ in range(ATTACKERS)))
        while not flooding.done():
            began = time.perf_counter()
            paid = await shop.pay(host)
            seconds.append(time.perf_counter() - began)
            assert paid.json()["payment"]["state"] == "succeeded", paid.text
        await flooding

    answered = ", ".join(f"{status}: {number}" for status, number in sorted(statuses.items()))
    target.print_line(f"  {answered}; meanwhile {len(seconds)} payments, slowest {max(seconds):.2f} s")
    assert set(statuses) <= {202, 429, 503}
    assert max(seconds) < PAID_WITHIN_SECONDS
