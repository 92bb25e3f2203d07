"""Repeated orders and their results."""

from typing import Any

import pytest
from system import System, payment_id
from wire.scripted_terminal import ScriptedTerminal, answers
from wire.shop_terminal import shop_terminal

from sandbox.terminal.script.behaviour import Behaviour, Customer
from shared.storage.db.engine import CommitUnknown


async def test_a_refused_order_may_be_sent_again_until_it_is_paid(sqlite_system: System) -> None:
    """The bank refuses, the customer presses red, then pays: three attempts of one order, charged once."""
    system = sqlite_system
    pos = await system.pos()
    await system.worker()

    answers = []
    async with shop_terminal() as shop:
        for customer in (Customer.REFUSE, Customer.ABANDON, Customer.APPROVE):
            shop.behaviour = Behaviour(customer=customer)
            answers.append(await pos.pay(shop.host, order_id="order-1"))
        assert [record.charged for record in shop.records if record.operation == "debit"] == [
            False,
            False,
            True,
        ]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    bodies = [answer.json() for answer in answers]
    assert [(body["paymentStatus"], body.get("errorCode")) for body in bodies] == [
        ("Failed", "04"),
        ("Failed", "06"),
        ("Success", None),
    ]
    assert [body["payment"]["safe_to_retry"] for body in bodies] == [True, True, False]
    assert bodies[2]["receipt"]
    rows = await system.payments()
    assert [(row.id, row.state) for row in rows] == [
        (body["payment"]["id"], state)
        for body, state in zip(bodies, ("refused", "aborted", "succeeded"), strict=True)
    ]


async def test_an_order_sent_again_after_the_database_was_unavailable_is_paid_once(
    sqlite_system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The outage begins before the order is stored, or right after it: the client need not know which."""
    system = sqlite_system
    api = await system.api()
    pos = await system.pos(api)
    await pos.send({})  # its login is cached from here on
    database = api.database
    stores = database.write

    async def goes_after_the_commit(work: Any) -> Any:
        await stores(work)
        database.is_unavailable = True
        raise CommitUnknown("the answer of the commit was lost")

    async with ScriptedTerminal(answers) as shop:
        database.is_unavailable = True
        refusals = [await pos.pay(shop.host, order_id="never stored")]
        database.is_unavailable = False
        monkeypatch.setattr(database, "write", goes_after_the_commit)
        refusals.append(await pos.pay(shop.host, order_id="stored"))
        monkeypatch.undo()
        database.is_unavailable = False
        assert [row.order_id for row in await system.payments()] == ["stored"]

        await system.worker()
        paid = [await pos.pay(shop.host, order_id=order) for order in ("never stored", "stored")]

        debits = [talk for talk in shop.talks if b"CD0010" in talk.received]
        assert len(debits) == 2
    for refused in refusals:
        assert refused.status_code == 500
        assert refused.json()["error"]["code"] == "unavailable.database.internal.server.error"
        assert refused.json()["error"]["details"] == {"safe_to_retry": False}
    assert [answer.json().get("paymentStatus") for answer in paid] == ["Success", "Success"]
    assert {row.id for row in await system.payments()} == {payment_id(answer) for answer in paid}
