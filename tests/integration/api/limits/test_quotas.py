"""Limits of one merchant in all: terminals, open payments, bytes of orders a day."""

from typing import Any

import pytest
from databases import Store
from payments import change, lose, rows
from running.api_alone import ApiAlone, Caller, api_alone

from shared.payment.states import Event
from shared.storage.terminals import merchant_usage

#: More than half a megabyte, in a field that is free text.
HALF_A_MEGABYTE: dict[str, Any] = {"custom_data": {"free": "x" * 600_000}}
LARGE_ORDERS: dict[str, Any] = {"stored_megabytes_per_day": 1, "body_limit_bytes": 2_000_000}


async def put(pos: Caller, number: int) -> int:
    answered = await pos.client.put(f"/v1/terminals/till-{number}", json={"host": f"127.0.1.{number}"})
    if answered.status_code == 409:
        assert answered.json()["error"]["code"] == "limit.terminal.conflict"
    return answered.status_code


@pytest.mark.parametrize("api_settings", [{"terminal_limit_per_merchant": 2}])
async def test_so_many_terminals_may_be_registered(pos: Caller, other: Caller) -> None:
    """One more is a 409, by itself or in a file; changing and removing go on, and so do other merchants."""
    assert [await put(pos, number) for number in (1, 2, 3)] == [201, 201, 409]
    assert await put(pos, 1) == 200
    assert await put(other, 3) == 201

    file = "id,host\ntill-1,127.0.1.1\ntill-9,127.0.1.9\n"
    headers = {"Content-Type": "text/csv"}
    for query in ("", "?dry_run=true"):
        imported = await pos.client.post("/v1/terminals/import" + query, content=file, headers=headers)
        assert imported.status_code == 409
        assert imported.json()["error"]["code"] == "limit.terminal.conflict"
    assert (await pos.client.delete("/v1/terminals/till-2")).status_code == 204
    assert await put(pos, 3) == 201


@pytest.mark.parametrize("api_settings", [{"open_payment_limit_per_merchant": 2}])
async def test_so_many_payments_may_be_open(api: ApiAlone, pos: Caller, other: Caller) -> None:
    """In doubt, too, and safe to retry; the order in doubt itself is answered with what is stored."""
    doubted = await pos.order_async("127.0.0.1", order_id="order-1")
    await lose(api.database, await api.claim(doubted))
    claimed = await api.claim(await pos.order_async("127.0.0.2"))
    await api.payments.admission.recount()

    await refused(pos, "open.payment.too.many.requests")
    assert await pos.order_async("127.0.0.1", order_id="order-1") == doubted
    await other.order_async("127.0.0.4")
    await api.settle(claimed, Event.ANSWERED_DONE)
    await api.payments.admission.recount()
    await pos.order_async("127.0.0.3")


async def test_so_many_bytes_of_orders_may_be_stored_a_day(store: Store) -> None:
    """By all processes together; what is stored already is attached to, and the next day begins anew."""
    async with api_alone(store, **LARGE_ORDERS) as api, api_alone(store, **LARGE_ORDERS) as second:
        pos, other = await api.merchant(), await api.merchant()
        first = await pos.order_async("127.0.0.1", order_id="order-1", **HALF_A_MEGABYTE)
        await refused(pos, "bytes.order.too.many.requests", **HALF_A_MEGABYTE)
        await other.order_async("127.0.0.2", **HALF_A_MEGABYTE)
        await api.payments.stored_bytes.count()

        await refused(pos, "bytes.order.too.many.requests", **HALF_A_MEGABYTE)
        assert await pos.order_async("127.0.0.1", order_id="order-1", **HALF_A_MEGABYTE) == first
        await counts_of_others_are_heard(api, second, pos)

        await change(api.database, "UPDATE merchant_usage SET day = day - 1")
        await api.payments.stored_bytes.count()
        await pos.order_async("127.0.0.3", **HALF_A_MEGABYTE)


async def counts_of_others_are_heard(api: ApiAlone, second: ApiAlone, pos: Caller) -> None:
    """After a process counted, it knows what the other one stored."""
    assert pos.merchant_id is not None
    there = second.payments.stored_bytes
    assert there.has_room(pos.merchant_id, "x" * 600_000)
    there.add(pos.merchant_id, "x" * 1000)
    await there.count()
    assert not there.has_room(pos.merchant_id, "x" * 600_000)
    (row,) = await rows(
        api.database,
        "SELECT order_bytes FROM merchant_usage WHERE merchant_id = :id",
        id=pos.merchant_id,
    )
    assert row.order_bytes > 601_000


async def test_what_was_stored_long_ago_is_forgotten(api: ApiAlone, pos: Caller) -> None:
    """Rows of more than a month ago go when a process counts for the first time."""
    assert pos.merchant_id is not None
    today = await merchant_usage.add_bytes(
        api.database, {pos.merchant_id: 5}, [pos.merchant_id], forgets=False
    )
    assert today.bytes == {pos.merchant_id: 5}
    assert 0 < today.left_seconds <= 86_400
    await change(api.database, "UPDATE merchant_usage SET day = day - 40")

    api.payments.stored_bytes.add(pos.merchant_id, "order")
    await api.payments.stored_bytes.count()

    assert len(await rows(api.database, "SELECT day FROM merchant_usage")) == 1


async def refused(pos: Caller, code: str, **order: Any) -> None:
    answered = await pos.order("127.0.0.5", **order)
    assert answered.status_code == 429, answered.text
    error = answered.json()["error"]
    assert (error["code"], error["details"]) == (code, {"safe_to_retry": True})
    assert int(answered.headers["retry-after"]) >= 1
