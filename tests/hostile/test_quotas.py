"""A merchant that asks for all that it can get at once: it gets its quota, and others are served."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import httpx
import pytest
from orders import order_for
from running.attacks import Target
from system import Pos

REQUESTS = 120
ATTACKERS = 20
OPEN_PAYMENTS = 20
ENDPOINTS = 10
TERMINALS = 15
STORED_MEGABYTES = 1
#: Of one order; with its envelope below the limit of a body.
ORDER_BYTES = 200_000
#: Twenty large orders at once are read, stored and echoed.
MEGABYTES = 100

Ask = Callable[[Pos, int], Awaitable[httpx.Response]]


@pytest.fixture
def more_settings() -> dict[str, object]:
    return {
        "open_payment_limit_per_merchant": OPEN_PAYMENTS,
        "stored_megabytes_per_day": STORED_MEGABYTES,
        "webhook_endpoint_limit": ENDPOINTS,
        "terminal_limit_per_merchant": TERMINALS,
        # No worker is needed: what is accepted waits.
        "worker_lag_limit_seconds": 600,
        "notify_allow_http": True,
        "notify_allowed_networks": ("127.0.0.0/8",),
    }


async def test_no_quota_gives_way_to_a_burst(target: Target) -> None:
    """Open payments, stored bytes, endpoints, terminals: each is kept by requests at the same moment."""

    async def order(pos: Pos, number: int) -> httpx.Response:
        return await pos.send(order_for(f"127.9.0.{number + 1}"), {"Prefer": "respond-async"})

    async def large_order(pos: Pos, number: int) -> httpx.Response:
        body = {**order_for(f"127.9.1.{number + 1}"), "custom_data": {"free": "x" * ORDER_BYTES}}
        return await pos.send(body, {"Prefer": "respond-async"})

    async def endpoint(pos: Pos, number: int) -> httpx.Response:
        url = f"http://127.0.0.1:{target.port}/v1/webhooks/endpoints"
        return await pos.client.post(
            url, json={"url": f"http://127.0.0.1:9/{number}"}, headers=pos.login.headers
        )

    async def terminal(pos: Pos, number: int) -> httpx.Response:
        url = f"http://127.0.0.1:{target.port}/v1/terminals/till-{number}"
        return await pos.client.put(url, json={"host": f"127.9.2.{number + 1}"}, headers=pos.login.headers)

    assert await _burst(target, "open payments", order) == {202: OPEN_PAYMENTS, 429: REQUESTS - OPEN_PAYMENTS}
    assert await _burst(target, "webhook endpoints", endpoint) == {201: ENDPOINTS, 409: REQUESTS - ENDPOINTS}
    assert await _burst(target, "terminals", terminal) == {201: TERMINALS, 409: REQUESTS - TERMINALS}

    stored = await _burst(target, "stored bytes", large_order)

    # Those that are being stored at the same moment are not counted yet.
    assert stored[202] <= STORED_MEGABYTES * 1_000_000 // ORDER_BYTES + ATTACKERS
    assert set(stored) == {202, 429}


async def _burst(target: Target, what: str, ask: Ask) -> Counter[int]:
    """Send the requests of one merchant, and let another one order meanwhile; return the statuses."""
    statuses: Counter[int] = Counter()
    numbers = iter(range(REQUESTS))

    async def attack(pos: Pos) -> None:
        for number in numbers:
            answered = await ask(pos, number)
            statuses[answered.status_code] += 1

    async with (
        target.pos() as attacker,
        target.pos() as shop,
        target.attacked(f"one merchant's burst: {what}", health_waits=True) as bystander,
    ):
        attacks = asyncio.gather(*(attack(attacker) for _ in range(ATTACKERS)))
        accepted = await shop.send(order_for("127.9.3.1"), {"Prefer": "respond-async"})
        await attacks

    answered = ", ".join(f"{status}: {number}" for status, number in sorted(statuses.items()))
    target.print_line(f"  {answered}")
    assert accepted.status_code == 202, accepted.text
    assert bystander.megabytes < MEGABYTES
    return statuses
