"""The transactional outbox: events and deliveries, written in the transaction of the change that causes them.

The functions run inside the transactions of others, under the payment's row lock, so that sequences have no
gaps and a crash neither loses nor invents an event.
"""

from dataclasses import replace
from typing import Final

from shared.notification.events import EventType, event_body
from shared.notification.kinds import HIPAY, MERCHANT
from shared.payment.payment import Payment
from shared.runtime.ids import PAYMENT_PREFIX
from shared.storage.db.engine import Transaction, WakeUp
from shared.storage.db.statement import Statement
from shared.storage.payments.rows import json_text

#: Time for the committing process to publish a delivery, before the sweep does.
RELAY_GRACE_MS: Final = 10_000

_INSERT_EVENT = Statement(
    "INSERT INTO events (merchant_id, payment_id, sequence, type, at, body)"
    " SELECT CAST(:merchant_id AS TEXT), CAST(:payment_id AS TEXT), COALESCE(MAX(sequence), 0) + 1,"
    " CAST(:type AS TEXT), {now}, CAST(:body AS TEXT) FROM events WHERE payment_id = :payment_id"
    " RETURNING number, sequence, EXISTS (SELECT 1 FROM webhook_endpoints"
    " WHERE merchant_id = :merchant_id AND disabled_at IS NULL) AS has_endpoint"
)

#: A delivery for each endpoint that subscribes to this type; for the named one alone where the order names
#: one.
_INSERT_DELIVERIES = Statement(
    "INSERT INTO deliveries (id, kind, target, merchant_id, payment_id, event_number, type, sequence, state,"
    " created_at, since_at, due_at, publish_at)"
    f" SELECT CAST(:prefix AS TEXT) || substr(id, 5), '{MERCHANT}', id, merchant_id,"
    " CAST(:payment_id AS TEXT),"
    " CAST(:event_number AS BIGINT), CAST(:type AS TEXT), CAST(:sequence AS INTEGER), 'waiting',"
    " {now}, {now}, {now}, {now} + :grace_ms FROM webhook_endpoints"
    " WHERE merchant_id = :merchant_id AND disabled_at IS NULL"
    " AND (CAST(:only AS TEXT) IS NULL OR id = :only)"
    " AND (types = '' OR types LIKE '%|' || CAST(:type AS TEXT) || '|%')"
    " RETURNING id, target"
)

_INSERT_ORDER_NOTIFICATION = Statement(
    "INSERT INTO deliveries (id, kind, target, merchant_id, payment_id, type, sequence, state,"
    " created_at, since_at, due_at, publish_at)"
    f" VALUES (:id, '{HIPAY}', '{HIPAY}', :merchant_id, :payment_id, 'order', 1, 'waiting',"
    " {now}, {now}, {now}, {now} + :grace_ms)"
)

_INSERT_TEST_EVENT = Statement(
    "INSERT INTO events (merchant_id, sequence, type, at, body)"
    " VALUES (:merchant_id, 1, :type, {now}, :body) RETURNING number"
)
_INSERT_TEST_DELIVERY = Statement(
    "INSERT INTO deliveries (id, kind, target, merchant_id, event_number, type, sequence, state,"
    " created_at, since_at, due_at, publish_at)"
    f" VALUES (:id, '{MERCHANT}', :target, :merchant_id, :event_number, :type, 1, 'waiting',"
    " {now}, {now}, {now}, {now} + :grace_ms)"
)


def delivery_prefix(payment_id: str) -> str:
    """Return the beginning of the ids of a payment's deliveries."""
    return f"dlv_{payment_id.removeprefix(PAYMENT_PREFIX)}_"


def order_notification_id(payment_id: str) -> str:
    """Return the id of the delivery that carries HiPay's order notification."""
    return f"{delivery_prefix(payment_id)}{HIPAY}"


async def add_event(tx: Transaction, payment: Payment, type_: EventType) -> None:
    """Write an event of the payment, and a delivery for each endpoint that subscribes to it."""
    row = await tx.one(
        _INSERT_EVENT,
        merchant_id=payment.merchant_id,
        payment_id=payment.id,
        type=type_.value,
        body=json_text(event_body(payment)),
    )
    assert row is not None, "an aggregate has a row"
    if not row.has_endpoint:
        return
    written = await tx.all(
        _INSERT_DELIVERIES,
        prefix=f"{delivery_prefix(payment.id)}{row.sequence}_",
        merchant_id=payment.merchant_id,
        payment_id=payment.id,
        event_number=row.number,
        type=type_.value,
        sequence=row.sequence,
        only=payment.webhook_endpoint_id,
        grace_ms=RELAY_GRACE_MS,
    )
    tx.wake_ups.extend(WakeUp(MERCHANT, delivery.id, delivery.target) for delivery in written)


async def add_contradiction(tx: Transaction, payment: Payment) -> None:
    """Write the event of a payment that was just marked as contradicted."""
    await add_event(tx, replace(payment, contradicted=True), EventType.CONTRADICTED)


async def add_order_notification(tx: Transaction, *, payment_id: str, merchant_id: str) -> None:
    """Write HiPay's order notification of a payment that is accepted in this transaction."""
    delivery_id = order_notification_id(payment_id)
    await tx.run(
        _INSERT_ORDER_NOTIFICATION,
        id=delivery_id,
        merchant_id=merchant_id,
        payment_id=payment_id,
        grace_ms=RELAY_GRACE_MS,
    )
    tx.wake_ups.append(WakeUp(HIPAY, delivery_id, HIPAY))


async def add_test_event(tx: Transaction, *, merchant_id: str, endpoint_id: str) -> str:
    """Write an event of no payment, and its delivery to this endpoint alone; return the delivery's id."""
    row = await tx.one(
        _INSERT_TEST_EVENT,
        merchant_id=merchant_id,
        type=EventType.TEST.value,
        body=json_text({"endpoint_id": endpoint_id}),
    )
    assert row is not None, "it was inserted"
    delivery_id = f"dlv_test_{row.number}"
    await tx.run(
        _INSERT_TEST_DELIVERY,
        id=delivery_id,
        target=endpoint_id,
        merchant_id=merchant_id,
        event_number=row.number,
        type=EventType.TEST.value,
        grace_ms=RELAY_GRACE_MS,
    )
    tx.wake_ups.append(WakeUp(MERCHANT, delivery_id, endpoint_id))
    return delivery_id
