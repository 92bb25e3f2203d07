"""Transactions and waiting messages as JSON. Amounts in cents, times ISO 8601."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from sandbox.hipay.platform import Notification
from sandbox.hipay.rules.evidence import Report
from sandbox.hipay.rules.ledger import WaitingPush
from sandbox.hipay.rules.order_and_push import Operation, OrderNotice
from sandbox.hipay.rules.statuses import NAMES
from sandbox.hipay.rules.transaction import Transaction, facts_of
from sandbox.outbox.outbox import Message
from sandbox.pages.formats import when_exactly


def totals(transactions: Iterable[Transaction]) -> dict[str, int]:
    """Return count and sums in cents; `authorised_cents` counts debits only."""
    shown = list(transactions)
    return {
        "count": len(shown),
        "authorised_cents": sum(one.authorised_cents for one in shown if one.operation is Operation.DEBIT),
        "captured_cents": sum(one.captured_cents for one in shown),
        "refunded_cents": sum(one.refunded_cents for one in shown),
        "credited_cents": sum(one.credited_cents for one in shown),
    }


def transaction_json(
    transaction: Transaction, notifications: Iterable[Message[Notification]]
) -> dict[str, Any]:
    """Return the transaction with its history, operations, order and notifications."""
    order = transaction.order
    return {
        "transaction_reference": transaction.reference,
        "status": int(transaction.status),
        "message": NAMES[transaction.status],
        "operation": transaction.operation,
        "order_id": order.order_id,
        "merchant_id": order.merchant_id,
        "payment_id": order.reference,
        "matched_by": transaction.matched_by,
        "currency": order.currency,
        "authorised_cents": transaction.authorised_cents,
        "captured_cents": transaction.captured_cents,
        "refunded_cents": transaction.refunded_cents,
        "credited_cents": transaction.credited_cents,
        "created_at": when_exactly(transaction.created_at_ms),
        "updated_at": when_exactly(transaction.updated_at_ms),
        "history": [
            {
                "status": int(change.status),
                "message": NAMES[change.status],
                "at": when_exactly(change.at_ms),
                "because": change.because,
                "is_contradiction": change.is_contradiction,
            }
            for change in transaction.history
        ],
        "operations": [
            {**asdict(operation), "at": when_exactly(operation.at_ms)} for operation in transaction.operations
        ],
        "payment": asdict(facts_of(transaction)),
        "order": order.content.get("order", {}),
        "customer": order.content.get("customer") or {},
        "pos_technical_info": order.content.get("pos_technical_info", {}),
        "notifications": [notification_json(message) for message in notifications],
    }


def notification_json(message: Message[Notification]) -> dict[str, Any]:
    """Return a notification to the merchant with its attempts."""
    sent = message.content
    return {
        "transaction_reference": sent.transaction_reference,
        "status": int(sent.status),
        "message": NAMES[sent.status],
        "url": sent.url,
        "body": sent.body.decode(),
        **_sent(message),
    }


def evidence_json(message: Message[Report]) -> dict[str, Any]:
    """Return a report to the Cloud API with its attempts."""
    return {"payment_id": message.content.payment_id, "body": message.content.body, **_sent(message)}


def waiting_push_json(waiting: WaitingPush) -> dict[str, Any]:
    """Return a push without an order, and the reason why it waits."""
    return {"why": waiting.why, **asdict(waiting.push)}


def waiting_order_json(order: OrderNotice) -> dict[str, Any]:
    """Return an order without a push."""
    return {
        "payment_id": order.reference,
        "order_id": order.order_id,
        "merchant_id": order.merchant_id,
        "operation": order.operation,
        "amount_cents": order.amount_cents,
        "currency": order.currency,
        "created_at": when_exactly(order.created_at_ms),
    }


def _sent(message: Message[Any]) -> dict[str, Any]:
    return {
        "created_at": when_exactly(message.created_at_ms),
        "ended": message.ended,
        "attempts": [
            {"at": when_exactly(attempt.at_ms), **asdict(attempt.result)} for attempt in message.attempts
        ],
    }
