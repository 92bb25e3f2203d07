"""An order with several attempts: whoever is shown an earlier one hears of the others, too."""

import asyncio

import pytest
from eventually import eventually
from payments import lose
from running.api_alone import ApiAlone, Caller

from shared.broker.messages import ReplyMessage
from shared.payment.states import Event
from shared.security.credentials import CredentialKind


async def refused_attempt(api: ApiAlone, pos: Caller) -> str:
    payment_id = await pos.order_async(order_id="order-1")
    await api.settle(await api.claim(payment_id), Event.ANSWERED_REFUSED)
    return payment_id


async def said_of(api: ApiAlone, pos: Caller, payment_id: str) -> set[bool]:
    """Return `safe_to_retry` of every answer that shows this payment."""
    operator = await api.caller(CredentialKind.OPERATOR)
    word = {"decision": "charged", "name": "Ada", "reason": "seen on the journal"}
    shown = [
        (await pos.get(f"/v1/payments/{payment_id}")).json()["payment"],
        (await pos.post(f"/v1/payments/{payment_id}/cancel")).json()["payment"],
        (await pos.post(f"/v1/payments/{payment_id}/release")).json()["payment"],
        (await operator.get(f"/v1/operator/payments/{payment_id}")).json()["payment"],
        (await operator.post(f"/v1/operator/payments/{payment_id}/resolve", word)).json()["payment"],
        *(await pos.get("/v1/payments", order_id="order-1")).json()["payments"],
    ]
    return {each["safe_to_retry"] for each in shown if each["id"] == payment_id}


async def test_an_attempt_that_ended_is_not_safe_to_retry_while_another_one_counts(
    api: ApiAlone, pos: Caller
) -> None:
    """Queued, in session, in doubt, succeeded; it is again once that has ended without money, too."""
    first = await refused_attempt(api, pos)
    assert await said_of(api, pos, first) == {True}

    second = await pos.order_async(order_id="order-1")
    assert await said_of(api, pos, first) == {False}
    claimed = await api.claim(second)
    assert await said_of(api, pos, first) == {False}
    await api.settle(claimed, Event.ANSWERED_REFUSED)
    assert await said_of(api, pos, first) == {True}

    third = await pos.order_async(order_id="order-1")
    await lose(api.database, await api.claim(third))
    assert await said_of(api, pos, second) == {False}


async def test_an_attempt_that_ended_is_not_safe_to_retry_after_another_one_was_paid(api: ApiAlone) -> None:
    """Another order, another merchant's order of the same number, and other operations are left out of it."""
    pos, other = await api.merchant(), await api.merchant()
    first, elsewhere = await refused_attempt(api, pos), await refused_attempt(api, other)

    paid = await pos.order_async(order_id="order-1")
    await api.settle(await api.claim(paid), Event.ANSWERED_DONE)

    assert await said_of(api, pos, first) == {False}
    assert await said_of(api, other, elsewhere) == {True}


@pytest.mark.parametrize("api_settings", [{"reply_poll_seconds": 60, "reply_poll_after_seconds": 60}])
async def test_a_late_waiter_hears_of_the_attempt_that_came_after_its_own(api: ApiAlone, pos: Caller) -> None:
    """It is answered how its payment ended, and not that it is safe to take the money again."""
    waiting = asyncio.create_task(pos.order(order_id="order-1"))
    await eventually(lambda: bool(api.postbox.published))
    (first,) = api.postbox.published
    await api.settle(await api.claim(first), Event.NOT_SENT)
    await pos.order_async(order_id="order-1")

    await api.postbox.reply("", ReplyMessage(first))
    answered = await waiting

    assert answered.status_code == 502
    assert answered.json()["payment"]["id"] == first
    assert answered.json()["payment"]["safe_to_retry"] is False
    assert answered.json()["error"]["details"]["safe_to_retry"] is False
