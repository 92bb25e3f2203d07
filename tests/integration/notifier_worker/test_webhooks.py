"""Webhooks from the payment to the receiver, on real servers."""

import base64
import hashlib
import os
import time
from dataclasses import replace

from eventually import eventually
from standardwebhooks import Webhook, WebhookVerificationError
from system import System
from waiting_deliveries import all_delivered, hearing
from wire.endpoints import add_endpoint, add_secret
from wire.shop_terminal import shop_terminal
from wire.webhook_receiver import Received, receiving

from shared.security.credentials import new_webhook_secret
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


def _verifies(secret: str, received: Received) -> bool:
    try:
        Webhook(secret).verify(received.body, received.headers)
    except WebhookVerificationError:
        return False
    return True


async def test_a_changed_webhook_is_not_verified(system: System) -> None:
    """A changed byte, another time or id, another signature, a wrong secret."""
    await system.notifier()
    async with receiving() as hooks:
        merchant = await hearing(system, hooks.url)
        await merchant.wait()
        (received,) = await hooks.heard(1)
    secret = merchant.endpoint.secret

    assert _verifies(secret, received)
    assert not _verifies(new_webhook_secret(os.urandom), received)
    changed_byte = received.body.replace(b"endpoint.test", b"endpoint.tesT")
    assert not _verifies(secret, replace(received, body=changed_byte))
    for changed in (
        {"webhook-timestamp": str(int(time.time()) - 3600)},
        {"webhook-timestamp": str(int(received.headers["webhook-timestamp"]) + 1)},
        {"webhook-id": "dlv_another"},
        {"webhook-signature": f"v1,{base64.b64encode(bytes(32)).decode()}"},
    ):
        assert not _verifies(secret, replace(received, headers={**received.headers, **changed}))


async def test_during_a_rotation_both_secrets_verify(system_on_both: System) -> None:
    """HiPay's own signature uses the newest."""
    system = system_on_both
    await system.notifier()
    newest = new_webhook_secret(os.urandom)
    async with receiving() as hooks:
        merchant = await hearing(system, hooks.url)
        await add_secret(system.database, system.settings, merchant.endpoint.id, newest)
        await merchant.wait()
        (received,) = await hooks.heard(1)

    assert _verifies(merchant.endpoint.secret, received)
    assert _verifies(newest, received)
    assert not _verifies(new_webhook_secret(os.urandom), received)
    expected = hashlib.sha256(received.body + newest.encode()).hexdigest()
    assert received.headers["x-hipay-signature"] == expected
