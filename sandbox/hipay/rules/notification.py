"""The server-to-server notification to the merchant, in HiPay's published form. Pure."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from sandbox.hipay.rules.order_and_push import OrderNotice
from sandbox.hipay.rules.statuses import NAMES, Status, reason_of
from sandbox.hipay.rules.transaction import OperationRecord, Transaction, facts_of

SIGNATURE_HEADER: Final = "X-ALLOPASS-SIGNATURE"
CONTENT_TYPE: Final = "application/x-www-form-urlencoded"
#: Point of sale.
_ECI: Final = "10"
_DECIMALS: Final = "2"

Pairs = list[tuple[str, str]]


def notification(
    transaction: Transaction,
    operation: OperationRecord | None,
    *,
    mid: str,
    sends_operation: bool = True,
    sends_custom_data: bool = True,
) -> Pairs:
    """Return names and values in their published order; an unknown value is empty."""
    order = transaction.order.content.get("order", {})
    pairs = _head(transaction, mid)
    pairs += _order(transaction.order)
    if operation is not None and sends_operation:
        pairs += _operation(operation, transaction.order.currency)
    custom = order.get("custom_data")
    if sends_custom_data and isinstance(custom, Mapping):
        pairs += [(f"custom_data[{name}]", _text(value)) for name, value in custom.items()]
    basket = order.get("basket")
    if basket:
        pairs.append(("basket", json.dumps(basket, ensure_ascii=False, separators=(",", ":"))))
    return pairs


def encode(pairs: Pairs) -> bytes:
    """Return the form-encoded body."""
    return urlencode(pairs).encode("ascii")


def signature(body: bytes, passphrase: str) -> str:
    """Return SHA-256, in lower-case hex, of the body followed by the passphrase."""
    return hashlib.sha256(body + passphrase.encode()).hexdigest()


def _head(transaction: Transaction, mid: str) -> Pairs:
    facts = facts_of(transaction)
    refused = transaction.status is Status.REFUSED
    reason, reason_message = reason_of(facts.code) if refused else ("", "")
    return [
        ("state", "declined" if refused else "completed"),
        ("reason[code]", reason),
        ("reason[message]", reason_message),
        ("test", "true"),
        ("mid", mid),
        ("attempt_id", "1"),
        ("authorization_code", facts.authorisation_number or ""),
        ("transaction_reference", transaction.reference),
        ("acquirer_transaction_reference", facts.transaction_id or facts.authorisation_id or ""),
        ("date_created", _date(transaction.created_at_ms)),
        ("date_updated", _date(transaction.updated_at_ms)),
        ("date_authorized", _date(transaction.authorised_at_ms)),
        ("status", str(int(transaction.status))),
        ("message", NAMES[transaction.status]),
        ("authorized_amount", _amount(transaction.authorised_cents)),
        ("captured_amount", _amount(transaction.captured_cents)),
        ("refunded_amount", _amount(transaction.refunded_cents)),
        ("decimals", _DECIMALS),
        ("currency", transaction.order.currency),
        ("ip_address", ""),
        ("ip_country", ""),
        ("device_id", ""),
        *((f"cdata{number}", "") for number in range(1, 11)),
        ("avs_result", ""),
        ("cvc_result", ""),
        ("eci", _ECI),
        ("payment_product", facts.brand or ""),
        ("payment_method[brand]", facts.brand or ""),
        ("payment_method[pan]", facts.masked_pan or ""),
    ]


def _order(notice: OrderNotice) -> Pairs:
    price = notice.content.get("order", {}).get("price", {})
    customer = notice.content.get("customer")
    customer = customer if isinstance(customer, Mapping) else {}
    return [
        ("order[id]", notice.order_id),
        ("order[date_created]", _date(notice.created_at_ms)),
        ("order[attempts]", str(notice.attempt)),
        ("order[amount]", _amount(notice.amount_cents)),
        ("order[shipping]", _fee(price.get("shipping_fees"))),
        ("order[tax]", _fee(price.get("tax_fees"))),
        ("order[decimals]", _DECIMALS),
        ("order[currency]", notice.currency),
        ("order[customer_id]", _text(customer.get("customer_id"))),
        ("order[language]", ""),
        ("order[email]", _text(customer.get("email"))),
    ]


def _operation(operation: OperationRecord, currency: str) -> Pairs:
    return [
        ("operation[type]", operation.type),
        ("operation[id]", operation.id),
        ("operation[reference]", operation.reference or ""),
        ("operation[amount]", _amount(operation.amount_cents)),
        ("operation[currency]", currency),
        ("operation[date]", _date(operation.at_ms)),
    ]


def _amount(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _fee(value: Any) -> str:
    """Return a fee, which is in the smallest unit as the price is, as decimal text."""
    return (
        _amount(value)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0
        else _text(value)
    )


def _date(at_ms: int | None) -> str:
    return "" if at_ms is None else f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%dT%H:%M:%S+0000}"


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
