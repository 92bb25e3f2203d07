"""Too much waits: new payments are refused early, everything else goes on."""

from typing import Any

import pytest
from databases import Store
from running.api_alone import ApiAlone, Caller, api_alone

from shared.payment.states import Event

LIMITS = {
    "terminal_address": {"waiting_limit_per_terminal": 2},
    "merchant": {"waiting_limit_per_merchant": 2},
    "all": {"waiting_limit": 2},
}


async def fill(pos: Caller, *hosts: str) -> list[str]:
    """Let payments wait on these terminals; order-1 is the first."""
    return [
        await pos.order_async(host, order_id=f"order-{number}") for number, host in enumerate(hosts, start=1)
    ]


async def is_refused(pos: Caller, host: str, **order: Any) -> bool:
    """503 with Retry-After, and nothing stored."""
    answered = await pos.order(host, headers={"prefer": "respond-async"}, **order)
    if answered.status_code == 202:
        return False
    assert answered.status_code == 503, answered.text
    assert answered.headers["retry-after"] == "1"
    error = answered.json()["error"]
    assert error["code"] == "overloaded.connector.service.unavailable"
    assert error["details"] == {"safe_to_retry": True}
    return True


@pytest.mark.parametrize("recounts", [False, True])
@pytest.mark.parametrize("what", LIMITS)
async def test_a_new_payment_above_a_limit_is_refused(sqlite_store: Store, what: str, recounts: bool) -> None:
    """By what this process took in, and by what the database counted; others' room is not touched."""
    async with api_alone(sqlite_store, **LIMITS[what]) as api:
        pos, other = await api.merchant(), await api.merchant()
        await fill(pos, "127.0.0.1", "127.0.0.1" if what == "terminal_address" else "127.0.0.2")
        if recounts:
            await api.payments.admission.recount()

        assert await is_refused(pos, "127.0.0.1")
        assert await is_refused(pos, "127.0.0.3") is (what != "terminal_address")
        assert await is_refused(other, "127.0.0.3") is (what == "all")
        assert await is_refused(other, "127.0.0.1") is (what == "all")


async def test_attaching_and_reading_are_never_refused(sqlite_store: Store) -> None:
    """The POS whose answer got lost must not be sent away: its order, its payment, its history."""
    async with api_alone(sqlite_store, waiting_limit_per_terminal=1) as api:
        pos = await api.merchant()
        (first,) = await fill(pos, "127.0.0.1")
        assert await is_refused(pos, "127.0.0.1")

        attached = await pos.order(
            "127.0.0.1", order_id="order-1", headers={"prefer": "respond-async", "idempotency_key": "k"}
        )

        assert attached.status_code == 202
        assert attached.json()["payment"]["id"] == first
        for path in ("", f"/{first}", f"/{first}/events"):
            assert (await pos.get("/v1/payments" + path)).status_code == 200
        assert (await pos.post(f"/v1/payments/{first}/cancel")).status_code == 200


async def test_a_replay_and_a_known_reversal_are_not_new(store: Store) -> None:
    """An answer from the database takes no slot."""
    async with api_alone(store, waiting_limit=1) as api:
        pos = await api.merchant()
        (first,) = await fill(pos, "127.0.0.1")
        await api.settle(await api.claim(first), Event.ANSWERED_DONE)
        await api.payments.admission.recount()
        reversal: dict[str, Any] = {"order_id": "order-1", "transaction_type": "Cancel"}
        back = await pos.order_async("127.0.0.1", **reversal)
        assert await is_refused(pos, "127.0.0.5")

        assert (await pos.order("127.0.0.1", order_id="order-1")).json()["payment"]["replayed"] is True
        assert await pos.order_async("127.0.0.1", **reversal) == back


async def test_room_comes_back_when_payments_go_to_their_terminals(store: Store) -> None:
    """At the next count."""
    async with api_alone(store, waiting_limit_per_terminal=1) as api:
        pos = await api.merchant()
        (first,) = await fill(pos, "127.0.0.1")
        await api.payments.admission.recount()
        assert await is_refused(pos, "127.0.0.1")

        await api.claim(first)
        await api.payments.admission.recount()

        assert not await is_refused(pos, "127.0.0.1")


async def test_payments_one_after_the_other_need_no_count(sqlite_store: Store) -> None:
    """A quick terminal serves more than its limit between two counts."""
    async with api_alone(sqlite_store, waiting_limit_per_terminal=1) as api:
        pos = await api.merchant()

        for _ in range(3):
            await _paid_at_once(api, pos)


async def _paid_at_once(api: ApiAlone, pos: Caller) -> None:
    publish = api.postbox.publish_payment

    async def publish_and_serve(message: Any, *, traceparent: str | None = None) -> None:
        await publish(message, traceparent=traceparent)
        await api.settle(await api.claim(message.payment_id), Event.ANSWERED_DONE)
        await api.postbox.reply("reply.alone", message)

    api.postbox.publish_payment = publish_and_serve  # type: ignore[method-assign]
    answered = await pos.order("127.0.0.1")
    api.postbox.publish_payment = publish  # type: ignore[method-assign]
    assert answered.json()["paymentStatus"] == "Success"
