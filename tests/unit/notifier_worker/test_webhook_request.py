"""Requests built from leased deliveries in a database file."""

import hashlib
import json
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from databases import Store
from orders import body_with
from payments import MERCHANT, change, queued, refused, with_merchant
from standardwebhooks import Webhook
from wire.endpoints import GivenEndpoint, add_endpoint, add_secret

from api.connector.request import parse_order
from notifier_worker.webhook_request import OrderNotificationBuilder, WebhookRequest, WebhookRequestBuilder
from shared.runtime.clock import SystemClock
from shared.security.credentials import new_webhook_secret
from shared.security.encryption import SecretCipher
from shared.security.secret_key import load_secret_key
from shared.settings.load import load_settings
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from shared.storage.webhooks import deliveries
from shared.storage.webhooks.deliveries import Leased

HIPAY_SECRET = new_webhook_secret(os.urandom)
HIPAY: dict[str, Any] = {
    "hipay_url": "http://127.0.0.1:9/orders",
    "hipay_signing_secret": HIPAY_SECRET,
    "hipay_username": "tills",
    "hipay_password": "s3cret",
}


@pytest.fixture
async def database(sqlite_store: Store) -> AsyncIterator[Database]:
    opened = sqlite_store.open()
    await with_merchant(opened)
    yield opened
    await opened.close()


def settings(**given: object) -> Settings:
    return load_settings(secret_key="a key for tests, 32 characters long", **given)


async def leased(database: Database, target: str) -> list[Leased]:
    return await deliveries.lease_of_target(database, target, 100, 30)


async def hipays(database: Database, **given: object) -> list[WebhookRequest]:
    """Return the requests of all waiting order notifications."""
    builder = OrderNotificationBuilder(database, settings(**{**HIPAY, **given}), SystemClock())
    return list((await builder.build(await leased(database, "hipay"))).values())


async def merchants(
    database: Database, endpoint: GivenEndpoint, key: Settings | None = None
) -> list[WebhookRequest]:
    cipher = SecretCipher(load_secret_key(key or settings(), os.urandom))
    builder = WebhookRequestBuilder(database, cipher, SystemClock())
    return list((await builder.build(await leased(database, endpoint.id))).values())


async def heard(database: Database, **changes: Any) -> GivenEndpoint:
    """Return an endpoint with one waiting event."""
    endpoint = await add_endpoint(database, settings(), MERCHANT, "http://127.0.0.1:9/hooks")
    await refused(database, **changes)
    return endpoint


async def test_a_webhook_is_json_signed_with_its_own_id(database: Database) -> None:
    """The id is the delivery's, the same at every try."""
    endpoint = await heard(database)

    (request,) = await merchants(database, endpoint)

    Webhook(endpoint.secret).verify(request.body, dict(request.headers))
    assert request.url == "http://127.0.0.1:9/hooks"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("cloud-terminal/")
    assert request.headers["webhook-id"].startswith("dlv_")
    assert "authorization" not in request.headers
    assert json.loads(request.body)["type"] == "payment.refused"


async def test_secrets_that_have_ended_do_not_sign(database: Database) -> None:
    """Two of three sign here, the newest first."""
    endpoint = await heard(database)
    newest, ended = new_webhook_secret(os.urandom), new_webhook_secret(os.urandom)
    await add_secret(database, settings(), endpoint.id, ended)
    await change(
        database, "UPDATE webhook_secrets SET ends_at = 1 WHERE id = (SELECT MAX(id) FROM webhook_secrets)"
    )
    await add_secret(database, settings(), endpoint.id, newest)

    (request,) = await merchants(database, endpoint)

    assert len(request.headers["webhook-signature"].split(" ")) == 2
    for secret in (endpoint.secret, newest):
        Webhook(secret).verify(request.body, dict(request.headers))
    assert request.headers["x-hipay-signature"] == hashlib.sha256(request.body + newest.encode()).hexdigest()


async def test_without_the_installations_key_no_request_is_built(database: Database) -> None:
    """An unsigned or wrongly signed webhook would be worse than a late one."""
    endpoint = await heard(database)

    assert await merchants(database, endpoint, load_settings(secret_key="another key" * 4)) == []


async def test_an_order_notification_is_signed_and_has_credentials(database: Database) -> None:
    """As HiPay's Terminal API requires, and as our webhooks are."""
    await queued(database, notifies_hipay=True, request=parse_order(body_with()).request_text)

    (request,) = await hipays(database)

    Webhook(HIPAY_SECRET).verify(request.body, dict(request.headers))
    assert request.url == HIPAY["hipay_url"]
    assert request.headers["authorization"] == "Basic dGlsbHM6czNjcmV0"
    assert (
        request.headers["x-hipay-signature"]
        == hashlib.sha256(request.body + HIPAY_SECRET.encode()).hexdigest()
    )


async def test_credentials_are_sent_where_there_are_some(database: Database) -> None:
    """Without them there is no header."""
    await queued(database, notifies_hipay=True, request=parse_order(body_with()).request_text)

    (request,) = await hipays(database, hipay_username=None, hipay_password=None)

    assert "authorization" not in request.headers


async def test_every_attempt_of_an_order_is_counted(database: Database) -> None:
    """1, 2, 3 of one order, 1 of another, each with the payment's id as reference."""
    request = parse_order(body_with()).request_text
    for order_id in ("order-1", "order-1", "other", "order-1"):
        await refused(database, order_id=order_id, notifies_hipay=True, request=request)

    bodies = [json.loads(request.body) for request in await hipays(database)]

    assert sorted(body["attempt"] for body in bodies) == [1, 1, 2, 3]
    assert len({body["reference"] for body in bodies}) == 4
    assert {body["id"].removesuffix("_hipay").removeprefix("dlv_") for body in bodies} == {
        body["reference"].removeprefix("pay_") for body in bodies
    }


async def test_half_a_surrogate_pair_is_sent_escaped(database: Database) -> None:
    """JSON's escape is ASCII; UTF-8 has no bytes for it."""
    edits = {"order.custom_data": {"note": "\ud83d"}}
    await queued(database, notifies_hipay=True, request=parse_order(body_with(edits)).request_text)

    (request,) = await hipays(database)

    assert request.body.isascii()
    assert json.loads(request.body)["order"]["custom_data"] == {"note": "\ud83d"}


async def test_without_hipays_address_a_worker_builds_no_request(database: Database) -> None:
    """The notifications wait for a worker that has the address."""
    await queued(database, notifies_hipay=True, request=parse_order(body_with()).request_text)

    assert await hipays(database, hipay_url=None) == []


@pytest.mark.parametrize("failures", [0, 7])
async def test_a_request_has_the_failures_of_its_target(database: Database, failures: int) -> None:
    """So that a worker which has just started knows them, too."""
    endpoint = await heard(database)
    if failures:
        await change(
            database, "INSERT INTO delivery_targets (id, failures) VALUES (:id, :failures)",
            id=endpoint.id, failures=failures,
        )  # fmt: skip

    (request,) = await merchants(database, endpoint)

    assert request.failures == failures
