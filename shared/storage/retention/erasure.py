"""Erasure of the customer data of an order: what its request, results, histories and events say of a person.

Amounts, states, times, terminal, order and authorisation numbers stay: accounts and disputes need them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.payment.payment import Payment
from shared.storage.administration import audit_trail
from shared.storage.administration.audit_trail import Action, Actor
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments.rows import json_text, payment_of, record

#: Locked in the order of all transactions.
_LOCK = Statement(
    "SELECT {payment} FROM payments WHERE merchant_id = :merchant_id AND order_id = :order_id ORDER BY id"
    " {for_update}"
)
_ERASE = Statement(
    "UPDATE payments SET request = :request, masked_card = NULL, receipt = NULL WHERE id = :payment_id"
)

_EVENTS = Statement("SELECT id, detail AS text FROM payment_events WHERE payment_id = :payment_id")
_SET_EVENT = Statement("UPDATE payment_events SET detail = :text WHERE id = :id")
_EVIDENCE = Statement("SELECT id, detail AS text FROM evidence WHERE payment_id = :payment_id")
_SET_EVIDENCE = Statement("UPDATE evidence SET detail = :text WHERE id = :id")
_NOTIFICATIONS = Statement("SELECT number AS id, body AS text FROM events WHERE payment_id = :payment_id")
_SET_NOTIFICATION = Statement("UPDATE events SET body = :text WHERE number = :id")
_RECORDS = Statement(
    "SELECT record_id AS id, content AS text FROM gateway_records WHERE payment_id = :payment_id"
)
_SET_RECORD = Statement(
    "UPDATE gateway_records SET content = :text WHERE payment_id = :payment_id AND record_id = :id"
)
_TEXTS: Final = (
    (_EVENTS, _SET_EVENT),
    (_EVIDENCE, _SET_EVIDENCE),
    (_NOTIFICATIONS, _SET_NOTIFICATION),
    (_RECORDS, _SET_RECORD),
)

#: What receivers of notifications answered may quote them.
_FORGET_ANSWERS = Statement(
    "UPDATE delivery_attempts SET answer = NULL WHERE answer IS NOT NULL AND delivery_id IN"
    " (SELECT id FROM deliveries WHERE payment_id = :payment_id)"
)

#: Members of stored JSON that say something of the customer, wherever they stand.
_OF_CUSTOMERS: Final = frozenset(
    {"answer", "fields", "unread", "broken", "received", "masked_card", "receipt", "card", "customer"}
)
#: Members of a request that are kept.
_KEPT_OF_ORDER: Final = frozenset({"order_id", "transaction_type", "price"})
_KEPT: Final = frozenset({"order", "pos_technical_info"})


@dataclass(frozen=True, slots=True)
class Erased:
    """The number of payments whose customer data is erased."""

    payments: int


@dataclass(frozen=True, slots=True)
class NotSettled:
    """A payment of the order that is open or disputed: what is known of it is needed."""

    payment: Payment


async def erase_order(
    database: Database, merchant_id: str, order_id: str, *, actor: Actor
) -> Erased | NotSettled | None:
    """Erase the customer data of all payments of an order; None: there are none.

    The audit trail has it. Again is as good. Raises DatabaseUnavailable,
    CommitUnknown.
    """

    async def work(tx: Transaction) -> Erased | NotSettled | None:
        rows = await tx.all(_LOCK, merchant_id=merchant_id, order_id=order_id)
        payments = [payment_of(row) for row in rows]
        if not payments:
            return None
        for payment in payments:
            if not payment.is_final or payment.contradicted or payment.key_closed:
                return NotSettled(payment)
        for payment in payments:
            await _erase(tx, payment)
            await record(tx, payment.id, "customer_data_erased", payment.state, {"by": actor.by})
        detail = {"merchant_id": merchant_id, "payments": len(payments)}
        await audit_trail.record(tx, actor, Action.ORDER_ERASED, order_id, detail=detail)
        return Erased(len(payments))

    return await database.write(work)


async def _erase(tx: Transaction, payment: Payment) -> None:
    await tx.run(_ERASE, payment_id=payment.id, request=json_text(_request(json.loads(payment.request))))
    for read, write in _TEXTS:
        changed = [
            {"id": row.id, "text": text, "payment_id": payment.id}
            for row in await tx.all(read, payment_id=payment.id)
            if (text := json_text(_without(json.loads(row.text)))) != row.text
        ]
        await tx.run_many(write, changed)
    await tx.run(_FORGET_ANSWERS, payment_id=payment.id)


def _request(request: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in request.items() if name in _KEPT}
    order = {name: value for name, value in request.get("order", {}).items() if name in _KEPT_OF_ORDER}
    return kept | ({"order": order} if "order" in kept else {})


def _without(value: Any) -> Any:
    """Return a copy without the members that say something of the customer."""
    match value:
        case dict():
            return {name: _without(part) for name, part in value.items() if name not in _OF_CUSTOMERS}
        case list():
            return [_without(part) for part in value]
        case _:
            return value
