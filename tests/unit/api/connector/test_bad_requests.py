"""The contract's rules as bad requests: what each is answered with."""

from typing import Any

import pytest
from orders import GONE, body_with

from api.connector.request import parse_order
from api.http.errors import InvalidRequest

ENUM = "should be equal to one of the allowed values"
NO_NUL = 'should match pattern "^[^\\u0000]*$"'
DISPLAY = "pos_technical_info.terminal_transaction_display"
ENTRY = f"{DISPLAY}.contract_array[0]"
HOST_INFORMATION = "pos_technical_info.host_information"
ITEM = "order.basket[0]"


def _missing(path: str) -> tuple[str, str, str]:
    return "required", f"should have required property '{path.rpartition('.')[2]}'", path


def _type(path: str, expected: str) -> tuple[str, str, str]:
    return "type", f"should be {expected}", path


# Each row: the edits, then keyword, message and path of the one error that is shown.
BAD: list[tuple[dict[str, Any], tuple[str, str, str]]] = [
    # What is missing.
    ({"order": GONE}, _missing("order")),
    ({"pos_technical_info": GONE}, _missing("pos_technical_info")),
    ({"order.order_id": GONE}, _missing("order.order_id")),
    ({"order.price": GONE}, _missing("order.price")),
    ({"order.price.amount": GONE}, _missing("order.price.amount")),
    ({HOST_INFORMATION: GONE}, _missing(HOST_INFORMATION)),
    ({f"{HOST_INFORMATION}.host": GONE}, _missing(f"{HOST_INFORMATION}.host")),
    ({HOST_INFORMATION: {}}, _missing(f"{HOST_INFORMATION}.host")),
    ({DISPLAY: GONE}, _missing(DISPLAY)),
    ({f"{DISPLAY}.contract_array": GONE}, _missing(f"{DISPLAY}.contract_array")),
    *(
        ({f"{ITEM}.{name}": GONE}, _missing(f"{ITEM}.{name}"))
        for name in (
            "product_reference",
            "name",
            "type",
            "quantity",
            "unit_price",
            "tax_rate",
            "total_amount",
        )
    ),
    # Types are strict, nothing is nullable.
    ({"order": []}, _type("order", "object")),
    ({"order": None}, _type("order", "object")),
    ({"order.order_id": 1}, _type("order.order_id", "string")),
    ({"order.order_id": None}, _type("order.order_id", "string")),
    ({"order.transaction_type": 1}, _type("order.transaction_type", "string")),
    ({"order.transaction_type": None}, _type("order.transaction_type", "string")),
    ({"order.price": 100}, _type("order.price", "object")),
    ({"order.price.amount": "100"}, _type("order.price.amount", "integer")),
    ({"order.price.amount": True}, _type("order.price.amount", "integer")),
    ({"order.price.amount": None}, _type("order.price.amount", "integer")),
    ({"order.price.amount": 100.5}, _type("order.price.amount", "integer")),
    ({"order.price.amount": [100]}, _type("order.price.amount", "integer")),
    ({"order.price.currency": 978}, _type("order.price.currency", "string")),
    ({"order.price.currency": None}, _type("order.price.currency", "string")),
    ({"order.basket": {}}, _type("order.basket", "array")),
    ({"order.basket": None}, _type("order.basket", "array")),
    ({"order.basket": ["x"]}, _type(ITEM, "object")),
    ({f"{ITEM}.product_reference": 1}, _type(f"{ITEM}.product_reference", "string")),
    ({f"{ITEM}.name": None}, _type(f"{ITEM}.name", "string")),
    ({f"{ITEM}.quantity": "2"}, _type(f"{ITEM}.quantity", "integer")),
    ({f"{ITEM}.quantity": 1.5}, _type(f"{ITEM}.quantity", "integer")),
    ({f"{ITEM}.unit_price": "1.5"}, _type(f"{ITEM}.unit_price", "number")),
    ({f"{ITEM}.tax_rate": "5.5"}, _type(f"{ITEM}.tax_rate", "number")),
    ({f"{ITEM}.total_amount": True}, _type(f"{ITEM}.total_amount", "number")),
    ({f"{ITEM}.discount": None}, _type(f"{ITEM}.discount", "number")),
    ({"order.description": 5}, _type("order.description", "string")),
    ({"order.description": None}, _type("order.description", "string")),
    ({"order.custom_data": "x"}, _type("order.custom_data", "object")),
    ({"order.custom_data": []}, _type("order.custom_data", "object")),
    ({"order.initialize_payment_terminal": "true"}, _type("order.initialize_payment_terminal", "boolean")),
    ({"order.webhook_endpoint_id": 1}, _type("order.webhook_endpoint_id", "string")),
    ({"customer": "Jane"}, _type("customer", "object")),
    ({"customer": None}, _type("customer", "object")),
    *(
        ({f"customer.{name}": 1}, _type(f"customer.{name}", "string"))
        for name in ("customer_id", "email", "phone", "first_name", "last_name")
    ),
    ({"pos_technical_info": "x"}, _type("pos_technical_info", "object")),
    ({"pos_technical_info.notify_url": 1}, _type("pos_technical_info.notify_url", "string")),
    (
        {HOST_INFORMATION: GONE, "pos_technical_info.terminal_id": 1},
        _type("pos_technical_info.terminal_id", "string"),
    ),
    ({HOST_INFORMATION: "127.0.0.2"}, _type(HOST_INFORMATION, "object")),
    ({f"{HOST_INFORMATION}.host": 127}, _type(f"{HOST_INFORMATION}.host", "string")),
    ({f"{HOST_INFORMATION}.port": "8888"}, _type(f"{HOST_INFORMATION}.port", "integer")),
    ({f"{HOST_INFORMATION}.port": None}, _type(f"{HOST_INFORMATION}.port", "integer")),
    ({DISPLAY: []}, _type(DISPLAY, "object")),
    ({f"{DISPLAY}.protocol": 3}, _type(f"{DISPLAY}.protocol", "string")),
    ({f"{DISPLAY}.force_authorization": 1}, _type(f"{DISPLAY}.force_authorization", "boolean")),
    ({f"{DISPLAY}.force_authorization": "true"}, _type(f"{DISPLAY}.force_authorization", "boolean")),
    ({f"{DISPLAY}.push_to": True}, _type(f"{DISPLAY}.push_to", "string")),
    ({f"{DISPLAY}.contract_array": {}}, _type(f"{DISPLAY}.contract_array", "array")),
    ({f"{DISPLAY}.contract_array": None}, _type(f"{DISPLAY}.contract_array", "array")),
    ({f"{DISPLAY}.contract_array": [None]}, _type(ENTRY, "object")),
    ({f"{ENTRY}.merchant_contract": 1234567}, _type(f"{ENTRY}.merchant_contract", "string")),
    ({f"{ENTRY}.rank": 1}, _type(f"{ENTRY}.rank", "string")),
    ({f"{ENTRY}.payment_application": 1}, _type(f"{ENTRY}.payment_application", "string")),
    # Values outside a closed list.
    ({"order.transaction_type": "debit"}, ("enum", ENUM, "order.transaction_type")),
    ({"order.transaction_type": ""}, ("enum", ENUM, "order.transaction_type")),
    ({"order.price.currency": "USD"}, ("enum", ENUM, "order.price.currency")),
    ({"order.price.currency": "eur"}, ("enum", ENUM, "order.price.currency")),
    ({f"{ITEM}.type": "product"}, ("enum", ENUM, f"{ITEM}.type")),
    (
        {"order.initialize_payment_terminal": False},
        ("enum", ENUM, "order.initialize_payment_terminal"),
    ),
    ({f"{DISPLAY}.protocol": "AppNepting"}, ("enum", ENUM, f"{DISPLAY}.protocol")),
    ({f"{DISPLAY}.protocol": "ConcertV3.0"}, ("enum", ENUM, f"{DISPLAY}.protocol")),
    ({f"{DISPLAY}.push_to": "SDK"}, ("enum", ENUM, f"{DISPLAY}.push_to")),
    ({f"{DISPLAY}.push_to": "ECR"}, ("enum", ENUM, f"{DISPLAY}.push_to")),
    ({f"{DISPLAY}.push_to": "pos"}, ("enum", ENUM, f"{DISPLAY}.push_to")),
    ({f"{ENTRY}.payment_application": "00Z"}, ("enum", ENUM, f"{ENTRY}.payment_application")),
    ({f"{ENTRY}.payment_application": "00b"}, ("enum", ENUM, f"{ENTRY}.payment_application")),
    # Limits.
    ({"order.price.amount": -1}, ("minimum", "should be >= 0", "order.price.amount")),
    ({"order.price.amount": 0}, ("exclusiveMinimum", "should be > 0", "order.price.amount")),
    ({"order.price.amount": 0.0}, ("exclusiveMinimum", "should be > 0", "order.price.amount")),
    (
        {"order.price.amount": 1_000_000_000_000},
        ("maximum", "should be <= 999999999999", "order.price.amount"),
    ),
    ({"order.price.amount": 1e300}, ("maximum", "should be <= 999999999999", "order.price.amount")),
    ({"order.order_id": ""}, ("minLength", "should NOT be shorter than 1 characters", "order.order_id")),
    (
        {"order.order_id": "x" * 65},
        ("maxLength", "should NOT be longer than 64 characters", "order.order_id"),
    ),
    (
        {f"{HOST_INFORMATION}.host": ""},
        ("minLength", "should NOT be shorter than 1 characters", f"{HOST_INFORMATION}.host"),
    ),
    (
        {f"{HOST_INFORMATION}.host": "h" * 256},
        ("maxLength", "should NOT be longer than 255 characters", f"{HOST_INFORMATION}.host"),
    ),
    ({f"{HOST_INFORMATION}.port": 0}, ("minimum", "should be >= 1", f"{HOST_INFORMATION}.port")),
    ({f"{HOST_INFORMATION}.port": 65536}, ("maximum", "should be <= 65535", f"{HOST_INFORMATION}.port")),
    (
        {f"{ENTRY}.merchant_contract": ""},
        ("minLength", "should NOT be shorter than 1 characters", f"{ENTRY}.merchant_contract"),
    ),
    (
        {f"{ENTRY}.merchant_contract": "12345678901"},
        ("maxLength", "should NOT be longer than 10 characters", f"{ENTRY}.merchant_contract"),
    ),
    (
        {f"{ENTRY}.merchant_contract": "12345é"},
        ("pattern", 'should match pattern "^[ -~]*$"', f"{ENTRY}.merchant_contract"),
    ),
    ({f"{ENTRY}.rank": "01"}, ("minLength", "should NOT be shorter than 3 characters", f"{ENTRY}.rank")),
    ({f"{ENTRY}.rank": "0001"}, ("maxLength", "should NOT be longer than 3 characters", f"{ENTRY}.rank")),
    # Texts that databases refuse.
    ({"order.order_id": "a\0"}, ("pattern", NO_NUL, "order.order_id")),
    ({"order.order_id": "a\ud800"}, ("pattern", NO_NUL, "order.order_id")),
    ({"order.webhook_endpoint_id": "\0"}, ("pattern", NO_NUL, "order.webhook_endpoint_id")),
    ({"customer.customer_id": "\udfff"}, ("pattern", NO_NUL, "customer.customer_id")),
    ({"pos_technical_info.notify_url": "\0"}, ("pattern", NO_NUL, "pos_technical_info.notify_url")),
    *(
        (
            {f"{HOST_INFORMATION}.host": host},
            ("format", 'should match format "hostname"', f"{HOST_INFORMATION}.host"),
        )
        for host in ("127.000.000.010", "127.1", "0x7f.1", " h", "h ", "h:8888", "tcp://h", "::1%1", "[::1]")
    ),
    ({f"{HOST_INFORMATION}.host": "h\0"}, ("pattern", NO_NUL, f"{HOST_INFORMATION}.host")),
    ({f"{HOST_INFORMATION}.host": "\udc00h"}, ("pattern", NO_NUL, f"{HOST_INFORMATION}.host")),
    (
        {HOST_INFORMATION: GONE, "pos_technical_info.terminal_id": "t\ud900"},
        ("pattern", NO_NUL, "pos_technical_info.terminal_id"),
    ),
    # A terminal's id or its address, not both.
    (
        {"pos_technical_info.terminal_id": "term_1"},
        ("not", "should NOT be valid", "pos_technical_info.terminal_id"),
    ),
    (
        {"pos_technical_info.terminal_id": "term_1", HOST_INFORMATION: {"port": 9000}},
        ("not", "should NOT be valid", "pos_technical_info.terminal_id"),
    ),
    # The first in the order of the schema is shown.
    ({"order.order_id": GONE, "order.price.amount": "x"}, _missing("order.order_id")),
    ({"order.order_id": 1, "order.price": GONE}, _type("order.order_id", "string")),
    ({"order.price.amount": -1, f"{ITEM}.name": GONE}, ("minimum", "should be >= 0", "order.price.amount")),
    ({f"{ITEM}.total_amount": GONE, "customer.email": 1}, _missing(f"{ITEM}.total_amount")),
    ({"customer.email": 1, "pos_technical_info": GONE}, _type("customer.email", "string")),
    ({HOST_INFORMATION: GONE, DISPLAY: GONE}, _missing(HOST_INFORMATION)),
    (
        {"pos_technical_info.notify_url": 1, HOST_INFORMATION: GONE},
        _type("pos_technical_info.notify_url", "string"),
    ),
    ({f"{ENTRY}.rank": "1", f"{DISPLAY}.protocol": "x"}, ("enum", ENUM, f"{DISPLAY}.protocol")),
    ({"order.transaction_type": 5}, _type("order.transaction_type", "string")),
    ({"order.price.amount": "-1", "order.order_id": "\ud800"}, ("pattern", NO_NUL, "order.order_id")),
]


@pytest.mark.parametrize(("edits", "expected"), BAD, ids=[str(edits)[:70] for edits, _ in BAD])
def test_a_bad_request_is_answered_with_the_first_error_in_ajvs_words(
    edits: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    """Status 400, the keyword's code, Ajv's message, and the path of the field."""
    keyword, message, path = expected

    with pytest.raises(InvalidRequest) as refused:
        parse_order(body_with(edits))

    error = refused.value.body()["error"]
    assert error["status"] == 400
    assert error["code"] == f"{keyword}.openapi.requestValidation"
    assert error["message"] == message
    assert error["details"] == {"path": path}
    assert error["description"]


@pytest.mark.parametrize("body", [b"[]", b"1", b'"x"', b"null", b"true"])
def test_an_error_at_the_root_has_no_path(body: bytes) -> None:
    """A body that is JSON and no object is a type error about nothing in particular."""
    with pytest.raises(InvalidRequest) as refused:
        parse_order(body)

    error = refused.value.body()["error"]
    assert (error["code"], error["message"]) == ("type.openapi.requestValidation", "should be object")
    assert error["details"] == {}


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ({"order.price.amount": 0}, "1 cent or more"),
        ({"order.initialize_payment_terminal": False}, "must not be woken"),
        ({f"{DISPLAY}.push_to": "SDK"}, "woken by somebody else"),
        ({"order.order_id": "\0"}, "U+0000"),
        ({"pos_technical_info.terminal_id": "term_1"}, "exclude each other"),
    ],
)
def test_a_refusal_that_is_ours_says_why(edits: dict[str, Any], words: str) -> None:
    """The description has a sentence where the keyword explains too little."""
    with pytest.raises(InvalidRequest) as refused:
        parse_order(body_with(edits))

    assert words in refused.value.description


def test_the_contracts_example_of_an_error_is_answered_word_by_word() -> None:
    """The envelope that the contract prints."""
    with pytest.raises(InvalidRequest) as refused:
        parse_order(body_with({"order.order_id": GONE}))

    assert refused.value.body() == {
        "error": {
            "status": 400,
            "code": "required.openapi.requestValidation",
            "message": "should have required property 'order_id'",
            "description": "should have required property 'order_id'",
            "details": {"path": "order.order_id"},
        }
    }
