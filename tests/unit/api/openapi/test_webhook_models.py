"""The published description of webhooks fits what is rendered, and the reference page names all of it."""

import json
import re
from pathlib import Path
from typing import Any

from in_memory.published_schemas import check
from in_memory.stored_payments import SUCCEEDED

from api.openapi import document
from api.webhooks.delivery_models import (
    AnyDeliveryWithAttempts,
    Attempt,
    Delivery,
    DeliveryWithAttempts,
    Event,
    OperatorsReplay,
    Replay,
)
from api.webhooks.models import NewWebhookEndpoint, SecretRotation, WebhookEndpoint, WebhookEndpointChanges
from shared.notification.events import PAYMENT_TYPES, EventType, event_body
from shared.notification.kinds import envelope
from shared.settings.settings import Settings
from shared.storage.webhooks.delivery_list import StoredAttempt, StoredDelivery
from shared.storage.webhooks.endpoints import RegisteredEndpoint
from shared.storage.webhooks.signing_secrets import SigningSecret

PAGE = Path(document.__file__).parents[2] / "docs" / "reference" / "webhooks.md"
BODIES = (NewWebhookEndpoint, WebhookEndpointChanges, SecretRotation, Replay, OperatorsReplay)

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


def test_the_examples_of_bodies_are_accepted() -> None:
    """Each field's first example, all fields together."""
    for model in BODIES:
        body = {field.alias or name: (field.examples or [])[0] for name, field in model.model_fields.items()}
        model.model_validate(body)
        check(model.__name__, body)


def test_what_is_rendered_is_described_whole() -> None:
    """No member is undocumented, none is described that never comes."""
    attempt = Attempt.of(StoredAttempt(1, 2, 302, "status", "moved", "https://127.0.0.1/new"))
    event = Event(**example_event())
    for shown in (
        WebhookEndpoint.of(ENDPOINT),
        Delivery.of(DELIVERY),
        DeliveryWithAttempts.of(DELIVERY, event=event, attempts=[attempt]),
        AnyDeliveryWithAttempts.of(DELIVERY, attempts=[attempt]),
    ):
        check(type(shown).__name__, shown.shown())
        assert shown.model_fields_set == type(shown).model_fields.keys()
    assert attempt.model_fields_set == Attempt.model_fields.keys()
    check("Event", example_event())


def test_the_example_on_the_reference_page_is_what_is_sent() -> None:
    """Rendered by the code; the page shows it word by word."""
    page = PAGE.read_text(encoding="utf-8")
    shown = [json.loads(text) for text in re.findall(r"```json\n(\{.*?\})\n```", page, re.DOTALL)]

    assert example_event() in shown


def test_the_reference_page_names_types_members_and_the_schedule() -> None:
    """A receiver's author finds each part described."""
    page = PAGE.read_text(encoding="utf-8")
    settings = Settings.model_fields

    for type_ in (*PAYMENT_TYPES, EventType.TEST):
        assert f"`{type_.value}`" in page
    for model in (*BODIES, WebhookEndpoint, DeliveryWithAttempts):
        for name in model.model_json_schema()["properties"]:
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
