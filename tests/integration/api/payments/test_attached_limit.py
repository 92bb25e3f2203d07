"""Limit of a merchant's requests that wait for a payment which another request began."""

import asyncio
from typing import Any

import httpx
import pytest
from eventually import eventually
from running.api_alone import ApiAlone, Caller, on_sqlite

LIMIT = 3


@pytest.fixture
def api_settings() -> dict[str, Any]:
    return {"attached_request_limit_per_merchant": LIMIT}


@on_sqlite
async def test_a_merchants_attached_requests_are_bounded_and_the_others_are_answered_at_once(
    api: ApiAlone,
) -> None:
    """Readers and repeated orders: the payment as it is, never a failure; another merchant still waits."""
    attacker, shop = await api.merchant(), await api.merchant()
    payment_id = await attacker.order_async(order_id="one")
    own_id = await shop.order_async()

    def read(caller: Caller, of: str) -> asyncio.Task[httpx.Response]:
        return asyncio.create_task(caller.get(f"/v1/payments/{of}", wait="200"))

    waiting = [read(attacker, payment_id) for _ in range(LIMIT)]
    await eventually(lambda: len(api.known_to_waiters(payment_id)) == LIMIT)

    async with asyncio.timeout(20):
        at_once = await attacker.get(f"/v1/payments/{payment_id}", wait="200")
        repeated = await attacker.order(order_id="one")
    assert (at_once.status_code, at_once.json()["payment"]["state"]) == (200, "queued")
    assert repeated.status_code == 504, repeated.text
    assert repeated.json()["payment"]["id"] == payment_id
    assert repeated.json()["payment"]["safe_to_retry"] is False

    others = read(shop, own_id)
    await eventually(lambda: len(api.known_to_waiters(own_id)) == 1)
    waiting.pop().cancel()
    await eventually(lambda: len(api.known_to_waiters(payment_id)) == LIMIT - 1)
    waiting.append(read(attacker, payment_id))
    await eventually(lambda: len(api.known_to_waiters(payment_id)) == LIMIT)

    for request in (*waiting, others):
        request.cancel()
