"""Step 2' of the flow: HiPay is notified of every order, whatever the terminal does."""

import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from eventually import eventually
from loopback import terminal_host
from orders import order_for, order_with
from running.merchant import requests_of
from stored.deliveries import all_delivered
from system import ORDER_PATH, Pos, System, payment_id
from wire.shop_terminal import shop_terminal
from wire.webhook_receiver import WebhookReceiver, receiving

from sandbox.terminal.script.behaviour import Behaviour, Customer
from shared.network.hosts import Address
from shared.security.credentials import new_webhook_secret


@dataclass
class NotifiedHipay:
    """A system whose order notifications go to a receiver of the test."""

    pos: Pos
    hipay: WebhookReceiver
    secret: str
    given: dict[str, Any]


async def notified_by(system: System, hipay: WebhookReceiver) -> NotifiedHipay:
    secret = new_webhook_secret(os.urandom)
    given: dict[str, Any] = {
        "hipay_url": hipay.url,
        "hipay_username": "tills",
        "hipay_password": "s3cret",
        "hipay_signing_secret": secret,
    }
    pos = await system.pos(await system.api(**given))
    await system.worker()
    await system.notifier(**given)
    return NotifiedHipay(pos, hipay, secret, given)


@pytest.fixture
async def notified(system: System) -> AsyncIterator[NotifiedHipay]:
    async with receiving() as hipay:
        yield await notified_by(system, hipay)


async def test_the_whole_request_of_the_pos_reaches_hipay(system_on_both: System) -> None:
    """Unknown fields, basket, customer, custom data, contracts, with the reference sent to the terminal."""
    async with receiving() as hipay, shop_terminal() as shop:
        notified = await notified_by(system_on_both, hipay)
        order = order_with(
            {
                "order.custom_data": {"shop": "Nantes", "half": "\ud83d"},
                "order.basket[0].vintage": 2019,
                "tomorrow": {"deep": ["er"]},
                "pos_technical_info.host_information.host": shop.host,
                "pos_technical_info.terminal_transaction_display.force_authorization": True,
            }
        )

        # As a POS with a simple JSON library sends it: all ASCII, half a surrogate pair is no obstacle.
        answered = await notified.pos.client.post(
            ORDER_PATH,
            content=json.dumps(order),
            headers={**notified.pos.login.headers, "content-type": "application/json"},
        )
        (received,) = await hipay.heard(1)

        body = received.json
        assert body["order"] == order["order"]
        assert body["customer"] == order["customer"]
        assert body["pos_technical_info"] == order["pos_technical_info"]
        assert body["other"] == {"shipping": {"city": "Nantes"}, "tomorrow": {"deep": ["er"]}}
        assert (body["type"], body["operation"], body["attempt"]) == ("order", "debit", 1)
        assert body["merchant_id"] == notified.pos.login.merchant_id
        debit = next(fields for fields in requests_of(shop) if fields["CD"] == "0")
        assert body["reference"] == payment_id(answered) == debit["CF"]
        await eventually(lambda: all_delivered(system_on_both.database))


async def test_a_new_attempt_is_a_notification_with_a_reference_of_its_own(notified: NotifiedHipay) -> None:
    """After a refusal the customer pays with another card; a request for the result is no attempt."""
    async with shop_terminal() as shop:
        shop.behaviour = Behaviour(customer=Customer.REFUSE)
        first = await notified.pos.pay(shop.host, order_id="order-1")
        shop.behaviour = Behaviour()
        second = await notified.pos.pay(shop.host, order_id="order-1")
        replayed = await notified.pos.pay(shop.host, order_id="order-1")
        await notified.pos.pay(shop.host, order_id="order-2")
    received = await notified.hipay.heard(3)

    assert payment_id(replayed) == payment_id(second)
    by_reference = {one.json["reference"]: one.json for one in received}
    assert len(received) == len(by_reference) == 3
    assert by_reference[payment_id(first)]["attempt"] == 1
    assert by_reference[payment_id(second)]["attempt"] == 2
    assert by_reference[payment_id(first)]["order"] == by_reference[payment_id(second)]["order"]


@pytest.mark.parametrize(("word", "operation"), [("Cancel", "reversal"), ("Credit", "credit")])
async def test_reversals_and_credits_are_notified_too(
    notified: NotifiedHipay, word: str, operation: str
) -> None:
    """Each is an attempt of its own operation."""
    async with shop_terminal() as shop:
        await notified.pos.pay(shop.host, order_id="order-1")
        answered = await notified.pos.pay(shop.host, order_id="order-1", transaction_type=word)
    received = await notified.hipay.heard(2)

    (body,) = [one.json for one in received if one.json["reference"] == payment_id(answered)]
    assert (body["operation"], body["attempt"]) == (operation, 1)


async def test_it_is_sent_where_the_terminal_cannot_be_reached(notified: NotifiedHipay) -> None:
    """Nothing listens there."""
    answered = await notified.pos.pay(terminal_host())
    (received,) = await notified.hipay.heard(1)

    assert answered.status_code == 502
    assert received.json["reference"] == payment_id(answered)


async def test_it_is_sent_where_the_terminal_has_no_address(system: System, notified: NotifiedHipay) -> None:
    """The payment ends in the transaction that accepts it."""

    async def nowhere(host: str) -> list[Address]:
        return []

    pos = await system.pos(await system.api(lookup=nowhere, **notified.given))

    answered = await pos.pay("till-7.example")
    (received,) = await notified.hipay.heard(1)

    assert answered.json()["payment"]["state"] == "unreachable"
    assert received.json["reference"] == payment_id(answered)


async def test_it_does_not_wait_for_the_terminal(notified: NotifiedHipay) -> None:
    """HiPay has the order before the customer uses the terminal."""
    async with shop_terminal() as shop:
        shop.behaviour = Behaviour(delay_seconds=4)
        body = order_for(shop.host)
        accepted = await notified.pos.send(body, headers={"prefer": "respond-async"})
        (received,) = await notified.hipay.heard(1)

        assert accepted.status_code == 202
        assert received.json["reference"] == payment_id(accepted)
        assert (await notified.pos.client.get(
            f"/v1/payments/{payment_id(accepted)}", headers=notified.pos.login.headers
        )).json()["payment"]["state"] in ("queued", "in_session")  # fmt: skip
