"""The notification to the merchant has HiPay's published form."""

from urllib.parse import parse_qsl

import pytest
from in_memory.orders_and_pushes import new_ledger, order, push, take

from sandbox.hipay.rules.notification import encode, notification, signature
from sandbox.hipay.rules.order_and_push import Kind, OrderNotice
from sandbox.hipay.rules.statuses import reason_of
from sandbox.hipay.rules.transaction import StatusChanged

_FIELDS = [
    "state",
    "reason[code]",
    "reason[message]",
    "test",
    "mid",
    "attempt_id",
    "authorization_code",
    "transaction_reference",
    "acquirer_transaction_reference",
    "date_created",
    "date_updated",
    "date_authorized",
    "status",
    "message",
    "authorized_amount",
    "captured_amount",
    "refunded_amount",
    "decimals",
    "currency",
    "ip_address",
    "ip_country",
    "device_id",
    "cdata1",
    "cdata2",
    "cdata3",
    "cdata4",
    "cdata5",
    "cdata6",
    "cdata7",
    "cdata8",
    "cdata9",
    "cdata10",
    "avs_result",
    "cvc_result",
    "eci",
    "payment_product",
    "payment_method[brand]",
    "payment_method[pan]",
    "order[id]",
    "order[date_created]",
    "order[attempts]",
    "order[amount]",
    "order[shipping]",
    "order[tax]",
    "order[decimals]",
    "order[currency]",
    "order[customer_id]",
    "order[language]",
    "order[email]",
]


def _ordered(**order_fields: object) -> OrderNotice:
    content = {
        "order": {"price": {"amount": 4000, "shipping_fees": 250}, **order_fields},
        "customer": {"customer_id": "C-1", "email": "a@example.com"},
    }
    return order(content=content)


def _changed(*messages: object) -> StatusChanged:
    ledger = new_ledger()
    actions = take(ledger, *messages)  # type: ignore[arg-type]
    found = [one for one in actions if isinstance(one, StatusChanged)]
    return found[-1]


def test_the_fields_come_in_their_published_order() -> None:
    """An authorised debit: every field, unknown ones empty, brackets for nesting."""
    changed = _changed(_ordered(), push(Kind.AUTHORISATION, authorisation_number="184117"))

    pairs = notification(changed.transaction, changed.operation, mid="00001331069")

    sent = dict(pairs)
    assert [name for name, _ in pairs] == _FIELDS
    assert (sent["status"], sent["message"], sent["state"]) == ("116", "Authorized", "completed")
    assert (sent["authorized_amount"], sent["captured_amount"]) == ("40.00", "0.00")
    assert sent["date_authorized"] == "2026-03-05T12:07:18+0000"
    assert (sent["authorization_code"], sent["eci"]) == ("184117", "10")
    assert (sent["payment_product"], sent["payment_method[pan]"]) == ("cb", "497010******7893")
    assert (sent["order[shipping]"], sent["order[email]"]) == ("2.50", "a@example.com")
    assert sent["transaction_reference"] == "000000000001"
    assert sent["reason[code]"] == sent["cdata1"] == ""


def test_operation_custom_data_and_basket_follow_where_they_are_wanted() -> None:
    """A capture, custom data of any kind and the basket as one JSON text; each can be left out."""
    basket = [{"name": "Pâté", "quantity": 1}]
    ordered = _ordered(custom_data={"shop": "Canal", "deep": {"a": 1}}, basket=basket)
    changed = _changed(ordered, push(Kind.COLLECTION, online=False))

    sent = dict(notification(changed.transaction, changed.operation, mid="1"))
    without = dict(
        notification(
            changed.transaction, changed.operation, mid="1", sends_operation=False, sends_custom_data=False
        )
    )

    assert (sent["operation[type]"], sent["operation[amount]"]) == ("capture", "40.00")
    assert (sent["custom_data[shop]"], sent["custom_data[deep]"]) == ("Canal", '{"a": 1}')
    assert sent["basket"] == '[{"name":"Pâté","quantity":1}]'
    assert not any(name.startswith(("operation", "custom_data")) for name in without)


def test_a_refusal_has_its_reason() -> None:
    """State declined, HiPay's reason for the issuer's code."""
    changed = _changed(_ordered(), push(Kind.AUTHORISATION, approved=False, code="54"))

    sent = dict(notification(changed.transaction, changed.operation, mid="1"))

    assert (sent["state"], sent["status"]) == ("declined", "113")
    assert (sent["reason[code]"], sent["reason[message]"]) == ("4010204", "Card expired")


@pytest.mark.parametrize(
    ("iso", "reason"),
    [("51", "4010103"), ("91", "4010102"), ("55", "4010101"), ("05", "4010101"), (None, "4010101")],
    ids=str,
)
def test_codes_have_reasons(iso: str | None, reason: str) -> None:
    """A wrong PIN and codes that are not listed have no explicit reason."""
    assert reason_of(iso)[0] == reason


def test_the_signature_is_of_the_body_and_the_passphrase() -> None:
    """SHA-256 in lower-case hex of the raw bytes, plain concatenation; the body is form-encoded."""
    body = encode([("order[id]", "a b&c"), ("message", "é")])

    assert body == b"order%5Bid%5D=a+b%26c&message=%C3%A9"
    assert parse_qsl(body.decode()) == [("order[id]", "a b&c"), ("message", "é")]
    # printf a=1secret | sha256sum
    expected = "b708853a6999828690609a0a1725c28aa158b95c2565d5e455eaf8c2097e4a74"
    assert signature(b"a=1", "secret") == expected
