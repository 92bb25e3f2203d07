"""The data of the webhooks' benchmark: one merchant with endpoints, payments and waiting deliveries."""

import json
import os
import time
from secrets import token_hex
from typing import Final

from shared.notification.kinds import MERCHANT
from shared.security.credentials import new_webhook_secret
from shared.security.encryption import SecretCipher
from shared.storage.db.engine import Database, Transaction, WakeUp
from shared.storage.db.statement import Statement

ENDPOINTS: Final = 100
_PAYLOAD: Final = "x" * 700

_INSERT_ENDPOINT = Statement(
    "INSERT INTO webhook_endpoints (id, merchant_id, url, created_at, changed_at)"
    " VALUES (:id, :merchant_id, :url, {now}, {now})"
)
_INSERT_SECRET = Statement(
    "INSERT INTO webhook_secrets (endpoint_id, encrypted, created_at) VALUES (:id, :encrypted, {now})"
)
_INSERT_MERCHANT = Statement(
    "INSERT INTO merchants (id, name, networks, created_at) VALUES ('mer_bench', 'Bench', '[]', {now})"
)
#: One payment for each waiting delivery, so that the order within a payment is checked as usual.
_INSERT_PAYMENTS = Statement(
    "INSERT INTO payments (id, merchant_id, order_id, operation, operation_key, state, amount_cents,"
    " currency, protocol, force_authorization, host, port, pos_number, profile, request, created_at,"
    " deadline_at, published_at) SELECT 'pay_' || n, 'mer_bench', 'ORDER_' || n, 'debit', 'debit:' || n,"
    " 'succeeded', 100, 'EUR', 'ConcertV3.2', false, '127.0.0.2', 8888, '01', '{{}}', '{{}}', {now}, {now},"
    " {now} FROM generate_series(1, :number) AS n"
)
_INSERT_EVENT = Statement(
    "INSERT INTO events (merchant_id, sequence, type, at, body)"
    " VALUES ('mer_bench', 1, 'payment.succeeded', {now}, :body) RETURNING number"
)
_DELIVERY = (
    "INSERT INTO deliveries (id, kind, target, merchant_id, payment_id, event_number, type, sequence, state,"
    " created_at, since_at, due_at, publish_at)"
)
_INSERT_DELIVERY = Statement(
    _DELIVERY + " VALUES (:id, 'merchant', :target, 'mer_bench', :payment_id, :event,"
    " 'payment.succeeded', 1, 'waiting',"
    " {now}, {now}, {now}, {now} + 10000)"
)
#: All waiting deliveries, spread evenly over the endpoints, due and to be published now.
_INSERT_MANY = Statement(
    _DELIVERY + " SELECT :prefix || n, 'merchant', 'whe_' || lpad((n % :endpoints)::text, 26, '0'),"
    " 'mer_bench', 'pay_' || n, :event, 'payment.succeeded', 1, 'waiting', {now}, {now}, {now}, {now}"
    " FROM generate_series(1, :number) AS n"
)
_EMPTY = (
    Statement("DELETE FROM delivery_attempts"),
    Statement("DELETE FROM deliveries"),
    Statement("DELETE FROM delivery_targets"),
)


def _endpoint(number: int) -> str:
    return f"whe_{number:026d}"


def host(number: int) -> str:
    """Return the address of an endpoint's host."""
    return f"127.78.0.{number + 1}"


async def register_endpoints(database: Database, *, port: int, payments: int, cipher: SecretCipher) -> None:
    """Store the merchant with its endpoints, whose hosts listen on this port, and so many payments."""

    async def work(tx: Transaction) -> None:
        await tx.run(_INSERT_MERCHANT)
        await tx.run(_INSERT_PAYMENTS, number=payments)
        for number in range(ENDPOINTS):
            endpoint = _endpoint(number)
            sealed = cipher.encrypt(new_webhook_secret(os.urandom), endpoint, os.urandom)
            url = f"http://{host(number)}:{port}/hooks"
            await tx.run(_INSERT_ENDPOINT, id=endpoint, merchant_id="mer_bench", url=url)
            await tx.run(_INSERT_SECRET, id=endpoint, encrypted=sealed)

    await database.write(work)


async def empty(database: Database) -> None:
    """Delete all deliveries."""

    async def work(tx: Transaction) -> None:
        for statement in _EMPTY:
            await tx.run(statement)

    await database.write(work)


async def fill(database: Database, number: int) -> None:
    """Let so many deliveries wait and no others, spread evenly over the endpoints."""
    await empty(database)

    async def work(tx: Transaction) -> None:
        row = await tx.one(_INSERT_EVENT, body=json.dumps({"filling": _PAYLOAD}))
        assert row is not None
        prefix = f"dlv_{token_hex(4)}_"
        await tx.run(_INSERT_MANY, prefix=prefix, endpoints=ENDPOINTS, event=row.number, number=number)

    await database.write(work)


async def write_event(database: Database, number: int) -> None:
    """Store an event of one payment with its delivery, and wake its notifier worker."""
    target = _endpoint(number % ENDPOINTS)
    delivery_id = f"dlv_{token_hex(13)}"

    async def work(tx: Transaction) -> None:
        body = json.dumps({"filling": _PAYLOAD, "written_at_ms": round(time.time() * 1000)})
        row = await tx.one(_INSERT_EVENT, body=body)
        assert row is not None
        payment_id = f"pay_{number + 1}"
        await tx.run(_INSERT_DELIVERY, id=delivery_id, target=target, payment_id=payment_id, event=row.number)
        tx.wake_ups.append(WakeUp(MERCHANT, delivery_id, target))

    await database.write(work)
