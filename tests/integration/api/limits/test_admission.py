"""Too much waits: new payments are refused early, everything else goes on."""

import asyncio
from typing import Any

import pytest
from databases import Store
from running.api_alone import ApiAlone, Caller, api_alone, on_sqlite

from api.terminals.targets import Targets
from shared.payment.states import Event
from shared.storage.payments import acceptance

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


@on_sqlite
@pytest.mark.parametrize("api_settings", [{"waiting_limit_per_terminal": 1}])
async def test_attaching_and_reading_are_never_refused(pos: Caller) -> None:
    """The POS whose answer got lost must not be sent away: its order, its payment, its history."""
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


@pytest.mark.parametrize("api_settings", [{"waiting_limit": 1}])
async def test_a_replay_and_a_known_reversal_are_not_new(api: ApiAlone, pos: Caller) -> None:
    """An answer from the database takes no slot."""
    (first,) = await fill(pos, "127.0.0.1")
    await api.settle(await api.claim(first), Event.ANSWERED_DONE)
    await api.payments.admission.recount()
    reversal: dict[str, Any] = {"order_id": "order-1", "transaction_type": "Cancel"}
    back = await pos.order_async("127.0.0.1", **reversal)
    assert await is_refused(pos, "127.0.0.5")

    assert (await pos.order("127.0.0.1", order_id="order-1")).json()["payment"]["replayed"] is True
    assert await pos.order_async("127.0.0.1", **reversal) == back


@pytest.mark.parametrize("api_settings", [{"waiting_limit_per_terminal": 1}])
async def test_room_comes_back_when_payments_go_to_their_terminals(api: ApiAlone, pos: Caller) -> None:
    """At the next count."""
    (first,) = await fill(pos, "127.0.0.1")
    await api.payments.admission.recount()
    assert await is_refused(pos, "127.0.0.1")

    await api.claim(first)
    await api.payments.admission.recount()

    assert not await is_refused(pos, "127.0.0.1")


@on_sqlite
@pytest.mark.parametrize("api_settings", [{"waiting_limit_per_terminal": 1}])
async def test_payments_one_after_the_other_need_no_count(api: ApiAlone, pos: Caller) -> None:
    """A quick terminal serves more than its limit between two counts."""
    for _ in range(3):
        await _paid_at_once(api, pos)


async def test_a_burst_keeps_to_the_limit(sqlite_store: Store) -> None:
    """Orders that are being stored count, too."""
    async with api_alone(sqlite_store, waiting_limit=3) as api:
        pos = await api.merchant()

        refused = await asyncio.gather(*(is_refused(pos, f"127.0.0.{number}") for number in range(1, 11)))

        assert refused.count(False) == 3


async def test_an_order_is_refused_before_its_terminal_is_looked_up(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal for overload costs one look at earlier attempts."""
    async with api_alone(sqlite_store, waiting_limit=1) as api:
        pos = await api.merchant()
        await fill(pos, "127.0.0.1")

        async def not_looked_up(*_: object) -> None:
            raise AssertionError("it was looked up")

        monkeypatch.setattr(Targets, "find", not_looked_up)

        assert await is_refused(pos, "127.0.0.2")


@pytest.mark.parametrize("what", ["terminal_address", "all"])
async def test_a_repeated_order_is_not_safe_to_retry_while_the_first_may_still_be_stored(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The first one waits to be stored: whoever reads 'safe' takes the money in another way."""
    accept = acceptance.accept
    reached, goes_on = asyncio.Event(), asyncio.Event()

    async def accept_later(*given: Any) -> Any:
        reached.set()
        await goes_on.wait()
        return await accept(*given)

    async with api_alone(sqlite_store, **LIMITS[what]) as api:
        pos = await api.merchant()
        await fill(pos, "127.0.0.1")
        monkeypatch.setattr("api.payments.intake.accept", accept_later)
        first = asyncio.create_task(pos.order_async("127.0.0.1", order_id="order-9"))
        await reached.wait()

        again = await pos.order("127.0.0.1", order_id="order-9")

        assert again.status_code == 503
        assert again.json()["error"]["details"] == {"safe_to_retry": False}
        goes_on.set()
        attached = await pos.order_async("127.0.0.1", order_id="order-9")
        assert attached == await first


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
