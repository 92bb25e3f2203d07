"""The published description of webhooks fits what is rendered, and the reference page names all of it."""

import json
import re
from pathlib import Path
from typing import Any

from fastapi.routing import APIRoute
from jsonschema_rs import Draft202012Validator
from stored_payments import SUCCEEDED

from api.connector.messages import WORDED_KEYWORDS
from api.openapi import document
from api.openapi.delivery_paths import DELIVERY_SCHEMAS
from api.openapi.document import openapi_document
from api.openapi.webhook_paths import WEBHOOK_SCHEMAS
from api.operator.delivery_routes import router as operator_deliveries
from api.webhooks.delivery_routes import router as deliveries
from api.webhooks.endpoint_request import ENDPOINT_CHANGES, NEW_ENDPOINT, ROTATION
from api.webhooks.event_routes import router as events
from api.webhooks.replay_request import OPERATORS_REPLAY, REPLAY
from api.webhooks.routes import router as webhook_endpoints
from api.webhooks.webhook_object import (
    attempt_object,
    delivery_object,
    endpoint_object,
    operators_delivery_object,
)
from shared.notification.events import PAYMENT_TYPES, EventType, event_body
from shared.notification.kinds import envelope
from shared.settings.settings import Settings
from shared.storage.webhooks.delivery_list import StoredAttempt, StoredDelivery
from shared.storage.webhooks.endpoints import RegisteredEndpoint
from shared.storage.webhooks.signing_secrets import SigningSecret

PAGE = Path(document.__file__).parents[2] / "docs" / "reference" / "webhooks.md"
OURS = ("/v1/webhooks", "/v1/events", "/v1/operator/deliveries")
BODIES = (NEW_ENDPOINT, ENDPOINT_CHANGES, ROTATION, REPLAY, OPERATORS_REPLAY)
_ANNOTATIONS = {"description", "examples", "properties", "default", "items", "x-published"}

ENDPOINT = RegisteredEndpoint(
    id="whe_1",
    url="https://127.0.0.1/",
    description="Accounting",
    types=("payment.succeeded",),
    disabled_at=2,
    disabled_because="gone",
    created_at=1,
    changed_at=2,
    failures=5,
    paused_until=3,
    secrets=(SigningSecret(2, None), SigningSecret(1, 4)),
)
DELIVERY = StoredDelivery(
    id="dlv_1",
    kind="merchant",
    target="whe_1",
    merchant_id="mer_1",
    payment_id="pay_1",
    event_number=1,
    type="payment.succeeded",
    sequence=1,
    state="waiting",
    reason="gave_up",
    tries=2,
    tried_at=2,
    created_at=1,
    due_at=3,
    ended_at=4,
    is_being_sent=True,
)


def described() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the operations of these paths."""
    return {
        (path, method.upper()): operation
        for path, operations in openapi_document()["paths"].items()
        for method, operation in operations.items()
        if path.startswith(OURS)
    }


def check(schema: str, value: Any) -> None:
    document = openapi_document()
    Draft202012Validator(
        {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
    ).validate(value)


def example_event() -> dict[str, Any]:
    """Return the body of a webhook about the payment that the other tests render."""
    return envelope(
        number=7,
        payment_id=SUCCEEDED.id,
        sequence=1,
        type_=EventType.SUCCEEDED.value,
        at=SUCCEEDED.ended_at or 0,
        body=json.dumps(event_body(SUCCEEDED)),
    )


def test_every_route_is_described_and_every_description_has_a_route() -> None:
    """Path and method."""
    routes = {
        (route.path, method)
        for router in (webhook_endpoints, deliveries, events, operator_deliveries)
        for route in router.routes
        if isinstance(route, APIRoute) and route.methods
        for method in route.methods
    }

    assert routes == described().keys()


def test_the_examples_fit_their_schemas() -> None:
    """Of every body and every answer."""
    components = openapi_document()["components"]
    for where, operation in described().items():
        contents = [response["content"] for response in operation["responses"].values()]
        if "requestBody" in operation:
            contents.append(operation["requestBody"]["content"])
        for content in contents:
            body = content["application/json"]
            checker = Draft202012Validator({**body["schema"], "components": components})
            assert body["examples"], where
            for name, example in body["examples"].items():
                assert checker.is_valid(example["value"]), (where, name)


def test_every_operation_says_whose_credentials_it_needs() -> None:
    """A merchant's or an operator's."""
    for (path, _), operation in described().items():
        kind = "operator" if path.startswith("/v1/operator") else "basic"
        assert operation["security"] == [{kind: []}]


def test_every_keyword_of_these_bodies_has_its_wording() -> None:
    """A keyword without words would be a 500 in place of a 400."""
    for schema in BODIES:
        assert set(schema["required"]) <= schema["properties"].keys()
        for part in (schema, *schema["properties"].values()):
            assert part.keys() - _ANNOTATIONS <= WORDED_KEYWORDS
            assert part["description"]


def test_what_is_rendered_is_described_whole() -> None:
    """No member is undocumented, none is described that never comes."""
    endpoint = endpoint_object(ENDPOINT)
    delivery = delivery_object(DELIVERY)
    attempt = attempt_object(StoredAttempt(1, 2, 302, "status", "moved", "https://127.0.0.1/new"))

    check("WebhookEndpoint", endpoint)
    check("Delivery", delivery)
    check("AnyDelivery", operators_delivery_object(DELIVERY))
    check("Event", example_event())
    assert endpoint.keys() == WEBHOOK_SCHEMAS["WebhookEndpoint"]["properties"].keys()
    assert delivery.keys() == DELIVERY_SCHEMAS["Delivery"]["properties"].keys()
    attempts = DELIVERY_SCHEMAS["DeliveryWithAttempts"]["properties"]["attempts"]
    assert attempt.keys() == attempts["items"]["properties"].keys()


def test_the_example_on_the_reference_page_is_what_is_sent() -> None:
    """Rendered by the code; the page shows it word by word."""
    page = PAGE.read_text(encoding="utf-8")
    shown = [json.loads(text) for text in re.findall(r"```json\n(\{.*?\})\n```", page, re.DOTALL)]

    assert example_event() in shown


def test_the_reference_page_names_types_members_and_the_schedule() -> None:
    """What a receiver's author looks for is there."""
    page = PAGE.read_text(encoding="utf-8")
    settings = Settings.model_fields

    for type_ in (*PAYMENT_TYPES, EventType.TEST):
        assert f"`{type_.value}`" in page
    for schema in (*BODIES, WEBHOOK_SCHEMAS["WebhookEndpoint"], DELIVERY_SCHEMAS["DeliveryWithAttempts"]):
        for name in schema["properties"]:
            assert f"`{name}`" in page, name
    for name in example_event():
        assert f"`{name}`" in page, name
    pauses = ", ".join(_plain(seconds) for seconds in settings["notify_retry_seconds"].default)
    assert pauses in page
    assert _plain(settings["notify_lifetime_seconds"].default) == "3 days"
    assert "3 days" in page


def _plain(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0 and (unit != "days" or seconds > size):
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
