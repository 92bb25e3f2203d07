"""Bodies made to hold the reader up: each is refused, or read, in a bounded time and with one error."""

import time
from typing import Any

import pytest
from orders import body_with
from pydantic import ValidationError

from api.connector.request import parse_order, warm_up
from api.http.errors import ApiError
from api.http.validation import first_validation_error
from api.terminals.csv_file import read_file
from api.webhooks.models import NewWebhookEndpoint

#: A loaded machine may take ten times as long as an idle one, and what this is about took 13 seconds.
SECONDS_AT_MOST = 1.0


def refused_in_time(body: bytes) -> ApiError:
    """Return the error of an order's body."""
    warm_up()
    begun = time.process_time()
    with pytest.raises(ApiError) as refused:
        parse_order(body)
    assert time.process_time() - begun < SECONDS_AT_MOST
    return refused.value


@pytest.mark.parametrize(
    "path", ["order.basket", "pos_technical_info.terminal_transaction_display.contract_array"]
)
def test_an_array_is_bounded_before_its_items_are_looked_at(path: str) -> None:
    """Many empty items, about as many as a body may hold: the error is about their number."""
    body = body_with({path: [{}] * 9_000})

    error = refused_in_time(body)

    assert error.code == "maxItems.openapi.requestValidation"
    assert error.details == {"path": path}


def test_an_array_of_wrong_items_costs_one_error() -> None:
    """The first item's first error is shown, whatever the others are."""
    error = refused_in_time(body_with({"order.basket": [{}] * 1000}))

    assert error.details == {"path": "order.basket[0].product_reference"}


def test_the_last_of_many_items_is_looked_at_as_well() -> None:
    """A bound is no excuse to stop early."""
    good = {
        "product_reference": "A",
        "name": "A",
        "type": "good",
        "quantity": 1,
        "unit_price": 1,
        "tax_rate": 1,
        "total_amount": 1,
    }
    wrong = {**good, "quantity": 1.5}

    error = refused_in_time(body_with({"order.basket": [good] * 999 + [wrong]}))

    assert error.details == {"path": "order.basket[999].quantity"}


@pytest.mark.parametrize("value", [[{}] * 80_000, list(range(40_000)), {str(i): 0 for i in range(20_000)}])
def test_free_data_is_bounded_in_its_number_of_values(value: Any) -> None:
    """Whatever is kept and shown again."""
    assert refused_in_time(body_with({"order.custom_data": {"free": value}})).status == 400


def test_an_error_early_in_the_schema_is_shown_before_a_long_array() -> None:
    """The bound has its place in the contract's order of errors."""
    body = body_with({"order.basket": [{}] * 5000, "order.order_id": 5})

    assert refused_in_time(body).details == {"path": "order.order_id"}


def test_event_types_of_an_endpoint_are_bounded() -> None:
    """As the arrays of an order are."""
    with pytest.raises(ValidationError) as refused:
        NewWebhookEndpoint.model_validate({"url": "https://127.0.0.1/", "types": ["x"] * 19_000})

    errors = [{**error, "loc": ("body", *error["loc"])} for error in refused.value.errors()]
    assert first_validation_error(errors).code == "maxItems.openapi.requestValidation"
    assert len(errors) == 1


def test_a_file_with_a_column_for_every_byte_is_refused_in_time() -> None:
    """Columns are compared once each, not with each other."""
    body = ("id,host," + ",".join(f"c{number}" for number in range(35_000))).encode()
    begun = time.process_time()

    with pytest.raises(ApiError):
        read_file(body, answer_timeout_seconds=180)

    assert time.process_time() - begun < SECONDS_AT_MOST
