"""The published description and the one schema behind it."""

import base64
import ipaddress
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from in_memory.published_schemas import check, check_examples
from in_memory.stored_payments import stored
from jsonschema_rs import Draft202012Validator, meta

from api.connector.request import OPERATIONS, parse_order
from api.connector.schema import WORDED_KEYWORDS, order_schema
from api.http.errors import InvalidRequest
from api.openapi import document as documents
from api.openapi.document import openapi_document
from api.payments.models import Payment
from shared.concert.fields import APPLICATIONS, CURRENCIES, VERSIONS
from shared.payment.states import State

_ANNOTATIONS = {"description", "examples", "default", "properties", "items", "x-refused", "x-published"}


def _properties(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, part in schema.get("properties", {}).items():
        yield f"{path}{name}", part
        yield from _properties(part, f"{path}{name}.")
    if "items" in schema:
        yield from _properties(schema["items"], path.removesuffix(".") + "[].")


def test_every_field_of_the_request_is_described_and_has_a_valid_example() -> None:
    """The page documents all of it."""
    for path, schema in _properties(order_schema()):
        assert schema["description"], path
        is_container = "properties" in schema or "items" in schema
        assert is_container or schema["examples"], path
        for example in schema.get("examples", []):
            Draft202012Validator(schema).validate(example)


def test_every_keyword_of_the_schema_has_its_wording() -> None:
    """A keyword without words would be a 500 in place of a 400."""
    for path, schema in [("", order_schema()), *_properties(order_schema())]:
        assert schema.keys() - _ANNOTATIONS <= WORDED_KEYWORDS, path
        assert schema.get("x-refused", {}).keys() <= schema.keys(), path
        # Ajv looks for a missing property in its turn among the properties.
        assert set(schema.get("required", ())) <= set(schema.get("properties", ())), path


def test_the_lists_of_the_schema_are_those_of_the_code() -> None:
    """Transaction types, protocols, currencies, applications."""
    schema = order_schema()["properties"]
    order = schema["order"]["properties"]
    display = schema["pos_technical_info"]["properties"]["terminal_transaction_display"]["properties"]
    contract = display["contract_array"]["items"]["properties"]

    assert order["transaction_type"]["enum"] == list(OPERATIONS)
    assert order["price"]["properties"]["currency"]["enum"] == list(CURRENCIES)
    assert display["protocol"]["enum"] == list(VERSIONS)
    assert contract["payment_application"]["enum"] == list(APPLICATIONS)
    for code, name in APPLICATIONS.items():
        assert f"`{code}` {name}" in contract["payment_application"]["description"]


def test_the_document_uses_valid_schemas_and_resolves() -> None:
    """Each component is a JSON Schema, each reference leads somewhere."""
    document = openapi_document()

    for schema in document["components"]["schemas"].values():
        meta.validate(schema)
    for name in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)):
        assert name in document["components"]["schemas"]
    assert "x-refused" not in json.dumps(document)
    assert "x-published" not in json.dumps(document)


def test_the_statuses_of_the_contract_are_all_described() -> None:
    """Both endpoints, every status."""
    paths = openapi_document()["paths"]

    assert paths["/v1/connector/order"]["post"]["responses"].keys() >= {
        "200", "202", "400", "401", "403", "405", "409", "413", "415", "500", "502", "503", "504",
    }  # fmt: skip
    assert paths["/v1/connector/healthcheck"]["get"]["responses"]["200"]["content"] == {
        "text/plain": {"schema": {"type": "string"}, "example": "up"}
    }


def test_the_requests_on_the_page_are_accepted() -> None:
    """A copied example must work."""
    body = openapi_document()["paths"]["/v1/connector/order"]["post"]["requestBody"]

    for example in body["content"]["application/json"]["examples"].values():
        try:
            order = parse_order(json.dumps(example["value"]).encode())
        except InvalidRequest as error:
            raise AssertionError(error.body()) from error
        assert order.warnings == ()


def test_the_answers_on_the_page_fit_their_schemas() -> None:
    """Every example of every status."""
    responses = openapi_document()["paths"]["/v1/connector/order"]["post"]["responses"]

    assert all(response["content"]["application/json"]["examples"] for response in responses.values())
    check_examples(responses)
    success = responses["200"]["content"]["application/json"]["examples"]["success"]["value"]
    assert "TICKET CLIENT" in base64.b64decode(success["receipt"]).decode()


def test_examples_show_loopback_addresses_and_reserved_names_only() -> None:
    """Any other host belongs to somebody."""
    text = json.dumps(openapi_document())

    for address in re.findall(r"\b\d+\.\d+\.\d+\.\d+\b", text):
        assert ipaddress.ip_address(address).is_loopback
    for host in re.findall(r"https?://([^/:\"`]+)", text):
        assert host.endswith("example.com") or ipaddress.ip_address(host).is_loopback


def test_the_document_names_its_license_and_the_order_as_createorder() -> None:
    """Generators make method names of operation ids."""
    document = openapi_document()

    assert document["info"]["license"] == {"name": "Apache License 2.0", "identifier": "Apache-2.0"}
    assert document["externalDocs"]["url"] == "/docs/errors"
    assert document["paths"]["/v1/connector/order"]["post"]["operationId"] == "createOrder"


def test_the_payments_description_names_what_is_rendered() -> None:
    """No field of the payment object is undocumented."""
    shown = Payment.of(
        stored(
            state=State.QUEUED,
            held_since=0,
            doubted_at=0,
            resolved_by="enquiry",
            reason="busy",
            contradicted=True,
        ),
        safe_to_retry=False,
        resolving=False,
    )

    assert shown.model_fields_set == Payment.model_fields.keys()
    check("Payment", shown.model_dump(mode="json"))


def test_the_reference_page_names_every_field() -> None:
    """Of the request by its path, of the payment object by its name."""
    page = (Path(documents.__file__).parents[2] / "docs" / "reference" / "contract.md").read_text(
        encoding="utf-8"
    )

    for path, _ in _properties(order_schema()):
        assert f"| `{path}` |" in page, path
    for name in Payment.model_fields:
        assert f"`{name}`" in page, name
