"""The JSON of order notifications and of events."""

import json
from typing import Any

from in_memory.stored_payments import stored
from orders import body_with

from api.connector.request import parse_order
from api.openapi.examples import FULL_REQUEST
from shared.notification.kinds import envelope, event_id, order_notification
from shared.payment.payment import Operation

PAYMENT_ID = "pay_01JNK4T0V8W9A4C6Q2Y3ZB5XDE"


def notified(edits: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    parsed = parse_order(body_with(edits))
    return order_notification("dlv_1", stored(request=parsed.request_text, **changes), 2)


def test_it_has_the_whole_request_of_the_pos() -> None:
    """Order, basket, customer, custom data and the terminal's part, as they were sent."""
    shown = notified()

    assert shown["order"] == FULL_REQUEST["order"]
    assert shown["customer"] == FULL_REQUEST["customer"]
    assert shown["pos_technical_info"] == FULL_REQUEST["pos_technical_info"]
    assert shown["other"] == {"shipping": {"city": "Nantes"}}


def test_it_has_the_payments_reference_and_the_attempts_number() -> None:
    """`reference` also travels to the terminal, and so to the gateway."""
    shown = notified(operation=Operation.CREDIT)

    assert shown["version"] == 1
    assert shown["type"] == "order"
    assert shown["id"] == "dlv_1"
    assert shown["reference"] == "pay_01JNK4T0V8W9A4C6Q2Y3ZB5XDE"
    assert shown["merchant_id"] == "mer_1"
    assert shown["operation"] == "credit"
    assert shown["attempt"] == 2
    assert shown["created_at"] == "2026-03-05T12:06:41.007Z"


def test_its_terminal_is_the_one_that_is_used() -> None:
    """An order may name a registered terminal, whose entry has the address and may force an authorisation."""
    shown = notified(
        {
            "pos_technical_info": {
                "terminal_id": "counter-1",
                "terminal_transaction_display": {"protocol": "ConcertV3.2", "contract_array": []},
            }
        },
        host="127.0.0.9",
        port=8889,
        pos_number="07",
        force_authorization=True,
    )

    assert "host_information" not in shown["pos_technical_info"]
    assert shown["terminal"] == {
        "host": "127.0.0.9",
        "port": 8889,
        "pos_number": "07",
        "force_authorization": True,
    }


def test_unknown_fields_are_kept_wherever_they_are() -> None:
    """An addition of HiPay to its contract reaches it today."""
    shown = notified(
        {
            "order.loyalty": {"points": [1, 2.5, None]},
            "order.basket[0].vintage": 2019,
            "customer.nickname": "J",
            "pos_technical_info.terminal_transaction_display.new_flag": True,
            "tomorrow": [{"deep": "er"}],
        }
    )

    assert shown["order"]["loyalty"] == {"points": [1, 2.5, None]}
    assert shown["order"]["basket"][0]["vintage"] == 2019
    assert shown["customer"]["nickname"] == "J"
    assert shown["pos_technical_info"]["terminal_transaction_display"]["new_flag"] is True
    assert shown["other"]["tomorrow"] == [{"deep": "er"}]


def test_half_a_surrogate_pair_of_a_pos_is_passed_on() -> None:
    """JSON can escape it, UTF-8 cannot encode it."""
    shown = notified({"order.custom_data": {"note": "\ud83d"}})

    assert json.loads(json.dumps(shown))["order"]["custom_data"] == {"note": "\ud83d"}


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
