"""Waiting for an order's result: through a young doubt, and never longer than the client wants."""

import asyncio
import time

import pytest
from eventually import eventually
from payments import change, lose, prove
from running.api_alone import ApiAlone, Caller, on_sqlite

from shared.payment.states import Event, State
from shared.storage.payments import settling
from shared.storage.terminals.locks import ObservedCapabilities


async def in_doubt(api: ApiAlone, pos: Caller) -> str:
    """A payment of order-1 whose doubt has just begun."""
    payment_id = await pos.order_async(order_id="order-1")
    await lose(api.database, await api.claim(payment_id))
    return payment_id


@on_sqlite
async def test_a_doubt_that_is_resolved_in_time_is_answered_with_the_result(
    api: ApiAlone, pos: Caller
) -> None:
    """The client waited through it: 200, not 504."""
    async with asyncio.TaskGroup() as group:
        paying = group.create_task(pos.order(order_id="order-1"))
        (payment_id,) = await eventually(lambda: api.postbox.published)
        claimed = await api.claim(payment_id)
        await lose(api.database, claimed)
        api.payments.results._waiters.replied(payment_id)
        await eventually(lambda: api.known_to_waiters(payment_id) == [State.IN_DOUBT])
        await prove(api.database, payment_id, Event.PROVED_DONE)
        api.payments.results._waiters.replied(payment_id)

    assert paying.result().json()["paymentStatus"] == "Success"


@pytest.mark.parametrize("api_settings", [{"caller_wait_in_doubt_seconds": 2}])
async def test_a_doubt_is_told_once_it_has_grown_old(api: ApiAlone, pos: Caller) -> None:
    """504 that says that its terminal may still settle it; whoever comes later waits for the rest only."""
    payment_id = await in_doubt(api, pos)
    began = time.monotonic()

    answered = await pos.order(order_id="order-1")

    assert 0.5 < time.monotonic() - began < 10
    assert answered.status_code == 504
    assert answered.json()["error"]["code"] == "timeout.terminal.gateway.timeout"
    payment = answered.json()["payment"]
    assert (payment["id"], payment["state"]) == (payment_id, "in_doubt")
    assert (payment["resolving"], payment["safe_to_retry"]) == (True, False)
    assert payment["doubted_at"]

    began = time.monotonic()
    assert (await pos.order(order_id="order-1")).status_code == 504
    assert time.monotonic() - began < 1.5


@on_sqlite
async def test_a_doubt_without_its_terminal_is_not_resolving(api: ApiAlone, pos: Caller) -> None:
    """Its line was given to others: only a gateway or an operator can settle it now."""
    payment_id = await pos.order_async(order_id="order-1")
    claimed = await api.claim(payment_id)
    await lose(api.database, claimed)
    assert await settling.release(api.database, claimed.grant, ObservedCapabilities(), why="time is over")

    for answered in (
        await pos.order(order_id="order-1", headers={"prefer": "wait=0"}),
        await pos.get(f"/v1/payments/{payment_id}"),
    ):
        assert answered.json()["payment"]["resolving"] is False


@on_sqlite
@pytest.mark.parametrize("api_settings", [{"caller_wait_in_doubt_seconds": 1}])
async def test_a_waiting_caller_is_not_woken_by_the_doubt_it_knows(
    api: ApiAlone, pos: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batched query goes on; one read a second of each waiting client would be a flood."""
    payment_id = await in_doubt(api, pos)
    looks = 0
    snapshot = api.payments.results.snapshot

    async def counted(payment_id: str) -> object:
        nonlocal looks
        looks += 1
        return await snapshot(payment_id)

    monkeypatch.setattr(api.payments.results, "snapshot", counted)
    answered = await pos.order(order_id="order-1")

    assert answered.json()["payment"]["id"] == payment_id
    assert looks <= 4


@on_sqlite
async def test_a_caller_waits_as_long_as_it_prefers(pos: Caller) -> None:
    """Then 504 with the payment that is still running; unknown preferences are ignored."""
    began = time.monotonic()

    answered = await pos.order(headers={"prefer": "return=minimal, wait=1"})

    assert 0.9 < time.monotonic() - began < 10
    assert answered.status_code == 504
    assert answered.json()["payment"]["state"] == "queued"
    assert answered.json()["payment"]["resolving"] is True


@on_sqlite
async def test_a_caller_may_wait_a_little_before_it_goes_on_without(pos: Caller) -> None:
    """`respond-async, wait=N`: the result where it comes in time, else 202."""
    began = time.monotonic()

    answered = await pos.order(headers={"prefer": "respond-async, wait=1"})

    assert answered.status_code == 202
    assert 0.9 < time.monotonic() - began < 10


@on_sqlite
@pytest.mark.parametrize("api_settings", [{"queue_deadline_seconds": 1, "publish_timeout_seconds": 0.5}])
async def test_a_payment_nobody_takes_expires_under_a_long_poll(api: ApiAlone, pos: Caller) -> None:
    """The API ends it for those who wait for it, whichever way they wait."""
    payment_id = await pos.order_async()

    found = await pos.get(f"/v1/payments/{payment_id}", wait="10")

    assert (found.json()["payment"]["state"], found.json()["payment"]["reason"]) == (
        "expired",
        "no_worker",
    )
    assert found.json()["payment"]["safe_to_retry"] is True
    assert await change(api.database, "UPDATE payments SET state = state WHERE state = 'queued'") == 0
