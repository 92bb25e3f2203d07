"""Requests that the contract accepts: optional fields, defaults, unknown fields, whole floats."""

import json
import sqlite3
from typing import Any

import pytest
from orders import GONE, body_with, order_with

from api.connector.request import OrderRequest, parse_order
from api.openapi.examples import EXAMPLE_REQUEST, FULL_REQUEST, MINIMAL_REQUEST
from shared.concert.fields import APPLICATIONS
from shared.payment.payment import Operation

DISPLAY = "pos_technical_info.terminal_transaction_display"
HOST_INFORMATION = "pos_technical_info.host_information"

OPTIONAL = [
    "order.transaction_type",
    "order.price.currency",
    "order.price.tax_fees",
    "order.price.shipping_fees",
    "order.basket",
    "order.basket[0].discount",
    "order.basket[0].european_article_numbering",
    "order.basket[0].product_category",
    "order.basket[0].url",
    "order.description",
    "order.custom_data",
    "order.initialize_payment_terminal",
    "order.long_description",
    "order.soft_descriptor",
    "customer",
    "customer.customer_id",
    "customer.email",
    "customer.phone",
    "customer.first_name",
    "customer.last_name",
    "customer.birthdate",
    "customer.gender",
    "customer.customer_location",
    "shipping",
    "pos_technical_info.notify_url",
    "pos_technical_info.device_information",
    "pos_technical_info.device_information.serial_number",
    "pos_technical_info.device_information.manufacturer",
    f"{HOST_INFORMATION}.port",
    f"{DISPLAY}.protocol",
    f"{DISPLAY}.force_authorization",
    f"{DISPLAY}.push_to",
    f"{DISPLAY}.contract_array[0].merchant_contract",
    f"{DISPLAY}.contract_array[0].rank",
    f"{DISPLAY}.contract_array[0].payment_application",
]


def contract_array(order: OrderRequest) -> list[dict[str, str]]:
    found: list[dict[str, str]] = order.request["pos_technical_info"]["terminal_transaction_display"][
        "contract_array"
    ]
    return found


@pytest.mark.parametrize("path", OPTIONAL)
def test_an_optional_field_may_be_left_out(path: str) -> None:
    """Only what the contract calls required is required."""
    assert parse_order(body_with({path: GONE})).order_id == "ORDER_3"


def test_a_full_request_is_read_wholly_and_kept_as_it_is() -> None:
    """Every field of the contract's tables arrives, nothing is changed."""
    order = parse_order(body_with())

    assert order.request == FULL_REQUEST
    assert json.loads(order.request_text) == FULL_REQUEST
    assert (order.operation, order.amount_cents, order.currency) == (Operation.DEBIT, 250, "EUR")
    assert (order.host, order.port, order.terminal_id) == ("127.0.0.2", 8888, None)
    assert order.notify_url == "http://127.0.0.1:9000/notifications"
    assert order.warnings == ()


def test_defaults_show_in_the_echo() -> None:
    """A request of mandatory fields only is stored with every default of the contract."""
    order = parse_order(body_with(base=MINIMAL_REQUEST))

    assert order.request == {
        "order": {
            "order_id": "ORDER_2",
            "price": {"amount": 250, "currency": "EUR"},
            "transaction_type": "Debit",
            "description": "POS payment",
            "initialize_payment_terminal": True,
        },
        "pos_technical_info": {
            "host_information": {"host": "127.0.0.2", "port": 8888},
            "terminal_transaction_display": {
                "contract_array": [],
                "protocol": "ConcertV3.1",
                "force_authorization": False,
                "push_to": "POS",
            },
        },
    }
    assert (order.protocol, order.port, order.force_authorization) == ("ConcertV3.1", 8888, False)
    assert order.webhook_endpoint_id is None


@pytest.mark.parametrize(
    ("word", "operation"),
    [("Debit", Operation.DEBIT), ("Credit", Operation.CREDIT), ("Cancel", Operation.REVERSAL)],
)
def test_each_transaction_type_is_an_operation(word: str, operation: Operation) -> None:
    """The contract's Cancel is the reversal of a debit."""
    assert parse_order(body_with({"order.transaction_type": word})).operation is operation


@pytest.mark.parametrize("application", APPLICATIONS)
def test_every_payment_application_of_the_list_is_accepted(application: str) -> None:
    """The closed list of the contract."""
    body = body_with({f"{DISPLAY}.contract_array[0].payment_application": application})

    (entry,) = contract_array(parse_order(body))
    assert entry["payment_application"] == application


def test_unknown_fields_are_kept_everywhere() -> None:
    """Fields of a later version are echoed and passed on."""
    unknown: dict[str, Any] = {
        "sandbox_code": "00",
        "order.new": {"deep": [None, 1.5, "é"]},
        "order.price.new": None,
        "order.basket[0].new": 1,
        "customer.new": True,
        "pos_technical_info.new": [],
        f"{HOST_INFORMATION}.new": "x",
        f"{DISPLAY}.new": "x",
        f"{DISPLAY}.contract_array[0].new": "x",
    }

    assert parse_order(body_with(unknown)).request == order_with(unknown)


def test_a_whole_float_is_an_integer() -> None:
    """`100.0` and `1e2` are the integer 100, and are echoed as such."""
    body = json.dumps(EXAMPLE_REQUEST).replace('"amount": 100', '"amount": 1e2').replace("8888", "8888.0")

    order = parse_order(body.encode())

    assert type(order.amount_cents) is int
    assert (order.amount_cents, order.port) == (100, 8888)
    assert '"amount":100,' in order.request_text


def test_the_largest_amount_of_the_protocol_is_accepted() -> None:
    """12 digits."""
    assert parse_order(body_with({"order.price.amount": 999_999_999_999})).amount_cents == 999_999_999_999


def test_a_registered_terminal_takes_the_place_of_the_address() -> None:
    """With terminal_id no host is needed, and an empty host_information is harmless."""
    without: tuple[object, ...] = (GONE, {})
    for host_information in without:
        edits = {HOST_INFORMATION: host_information, "pos_technical_info.terminal_id": "term_1"}

        order = parse_order(body_with(edits))

        assert (order.terminal_id, order.host, order.port) == ("term_1", None, None)


def test_an_entry_of_the_contract_array_may_be_empty() -> None:
    """Each of its fields is optional."""
    body = body_with({f"{DISPLAY}.contract_array": [{}, {"rank": "002"}]})

    assert contract_array(parse_order(body)) == [{}, {"rank": "002"}]


def test_a_mismatching_basket_is_reported_and_never_refused() -> None:
    """The contract's own example sends amount 100 with a basket of 8.99."""
    order = parse_order(body_with({"order.price.amount": 100}))

    assert order.warnings == ("basket_total_mismatch",)


def test_odd_characters_elsewhere_are_kept_and_can_be_stored() -> None:
    """U+0000 and lone surrogates outside of ids stay escaped in a text that any database takes."""
    odd = {"order.custom_data": {"k\0\ud800": "é€😀\0\udfff"}, "customer.first_name": "\ud800"}

    order = parse_order(body_with(odd))

    assert "\0" not in order.request_text
    assert "é€😀" in order.request_text
    order.request_text.encode()
    with sqlite3.connect(":memory:") as database:
        stored = database.execute("SELECT ?", (order.request_text,)).fetchone()[0]
    assert json.loads(stored) == order_with(odd)
