"""An event as webhooks and the feed show it."""

import json

from shared.notification.kinds import envelope, event_id

PAYMENT_ID = "pay_01JNK4T0V8W9A4C6Q2Y3ZB5XDE"


def test_an_events_identity_stands_before_its_content() -> None:
    """Type, name, place in its payment's history and time come first."""
    shown = envelope(
        number=7,
        payment_id=PAYMENT_ID,
        sequence=2,
        type_="payment.resolved",
        at=1_772_712_418_123,
        body=json.dumps({"payment_id": PAYMENT_ID, "state": "succeeded"}),
    )

    assert list(shown.items()) == [
        ("type", "payment.resolved"),
        ("event_id", "evt_01JNK4T0V8W9A4C6Q2Y3ZB5XDE_2"),
        ("sequence", 2),
        ("occurred_at", "2026-03-05T12:06:58.123Z"),
        ("payment_id", PAYMENT_ID),
        ("state", "succeeded"),
    ]


def test_event_ids_are_unique() -> None:
    """By payment and sequence, which no other event has; a test event by its number."""
    assert event_id(7, PAYMENT_ID, 1) != event_id(8, PAYMENT_ID, 2)
    assert event_id(7, None, 1) == "evt_test_7"
