"""Erasure of an order's customer data: nothing of the person stays, everything of the money does."""

from typing import Any

from payments import change, lose, prove, rows
from running.api_alone import ApiAlone, Caller

from shared.payment.payment import Result, Settlement
from shared.payment.states import Event
from shared.storage.administration.audit_trail import Actor
from shared.storage.db.schema.migrate import METADATA
from shared.storage.payments import settling
from shared.storage.retention.erasure import Erased, NotSettled, erase_order
from shared.storage.terminals.locks import ObservedCapabilities

ACTOR = Actor("root@host", "Jane Doe", "Asked for by letter.")
SETTLED = Settlement(
    event=Event.ANSWERED_DONE,
    result=Result(
        paid_cents=250, authorisation_number="184117", masked_card="497010******0003", receipt="Marie"
    ),
    detail={"sent": {"CB": "250"}, "answer": {"AA": "497010******0003"}},
)
OF_THE_CUSTOMER = ("marie", "497010", "croissant")


async def whole_database(api: ApiAlone) -> str:
    """Return everything that the database has, as text."""
    tables = [await rows(api.database, f"SELECT * FROM {table.name}") for table in METADATA.sorted_tables]
    return "\n".join(str(tuple(row)) for table in tables for row in table).lower()


async def erase(api: ApiAlone, pos: Caller, order_id: str) -> object:
    return await erase_order(api.database, str(pos.merchant_id), order_id, actor=ACTOR)


async def test_nothing_of_the_customer_stays_anywhere(api: ApiAlone, pos: Caller) -> None:
    """In no table; amounts, states, order and authorisation number do; again is as good."""
    await pos.post("/v1/webhooks/endpoints", {"url": "https://pos.example/hooks"})
    body: dict[str, Any] = {"order_id": "a", "custom_data": {"who": "Marie"}, "description": "2 croissants"}
    payment_id = await pos.order_async(**body)
    claimed = await api.claim(payment_id)
    await settling.settle(api.database, claimed.grant, claimed.payment, SETTLED, ObservedCapabilities())
    await prove(api.database, payment_id, None, Result(masked_card="497010******0003"))
    await change(
        api.database,
        "INSERT INTO delivery_attempts (delivery_id, at, duration_ms, answer)"
        " SELECT id, 0, 1, 'Thanks, Marie' FROM deliveries",
    )
    before = await whole_database(api)
    assert all(word in before for word in OF_THE_CUSTOMER)

    assert [await erase(api, pos, "a") for _ in range(2)] == [Erased(1), Erased(1)]

    after = await whole_database(api)
    assert [word for word in OF_THE_CUSTOMER if word in after] == []
    told = (await pos.get(f"/v1/payments/{payment_id}")).json()
    assert (told["paymentStatus"], told["payment"]["amount"]) == ("Success", 250)
    assert told["payment"]["authorisation_number"] == "184117"
    assert "masked_card" not in told["payment"]
    events = (await pos.get(f"/v1/payments/{payment_id}/events")).json()["events"]
    assert [each["event"] for each in events][-1] == "customer_data_erased"
    recorded = "SELECT by_name, reason FROM audit_trail WHERE action = 'order_erased'"
    assert [tuple(row) for row in await rows(api.database, recorded)] == [
        ("Jane Doe", "Asked for by letter.")
    ] * 2


async def test_what_is_open_or_disputed_is_not_erased(api: ApiAlone, pos: Caller) -> None:
    """Its evidence is needed."""
    doubtful = await pos.order_async(order_id="a")
    await lose(api.database, await api.claim(doubtful))
    disputed = await pos.order_async(order_id="b", host="127.0.0.10")
    await api.settle(await api.claim(disputed), Event.ANSWERED_REFUSED, Result(error_code="04"))
    await prove(api.database, disputed, Event.PROVED_DONE)

    for order_id, payment_id in (("a", doubtful), ("b", disputed)):
        refused = await erase(api, pos, order_id)
        assert isinstance(refused, NotSettled)
        assert refused.payment.id == payment_id
    assert await erase(api, pos, "unknown") is None
