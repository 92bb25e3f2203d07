"""Webhooks from the payment to the receiver, on real servers."""

from eventually import eventually
from stored.deliveries import all_delivered, hearing
from system import System
from wire.endpoints import add_endpoint
from wire.shop_terminal import shop_terminal
from wire.webhook_receiver import receiving

from shared.storage.webhooks.endpoints import send_test


async def test_a_payment_is_sent_to_the_merchants_endpoint_signed(system_on_both: System) -> None:
    """The receiver verifies it with the public library and reads the result."""
    system = system_on_both
    pos = await system.pos()
    await system.worker()
    await system.notifier()
    async with receiving() as hooks, shop_terminal() as shop:
        endpoint = await add_endpoint(system.database, system.settings, pos.login.merchant_id, hooks.url)

        answered = await pos.pay(shop.host)
        (received,) = await hooks.heard(1)

        endpoint.verify(received)
        assert received.json["type"] == "payment.succeeded"
        assert received.json["payment_id"] == answered.json()["payment"]["id"]
        assert received.json["sequence"] == 1
        assert received.json["result"]["status"] == "Success"
        assert received.json["result"]["amount"] == 250
        assert received.json["safe_to_retry"] is False
        await eventually(lambda: all_delivered(system.database))


async def test_a_test_event_is_sent_to_its_endpoint_alone(system: System) -> None:
    """Right after its commit, by the process that committed it; it has no payment."""
    api = await system.api()
    await system.notifier()
    async with receiving() as hooks, receiving() as others:
        merchant = await hearing(system, hooks.url)
        await add_endpoint(system.database, system.settings, merchant.merchant_id, others.url)

        delivery_id = await send_test(api.database, merchant.merchant_id, merchant.endpoint.id)
        (received,) = await hooks.heard(1)

        merchant.endpoint.verify(received)
        assert received.headers["webhook-id"] == delivery_id
        assert received.json["type"] == "endpoint.test"
        assert "payment_id" not in received.json
        await eventually(lambda: all_delivered(system.database))
        assert others.received == []
