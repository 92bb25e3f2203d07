"""The two kinds of notification and their JSON bodies; each kind has deliveries and a queue of its own."""

import json
from typing import Any, Final

from shared.payment.payment import Payment
from shared.runtime.clock import iso_time
from shared.runtime.ids import PAYMENT_PREFIX

#: Order notifications to HiPay's platform, a single target of the same name.
HIPAY: Final = "hipay"
#: Webhooks to merchants' endpoints.
MERCHANT: Final = "merchant"

NOTIFICATION_KINDS: Final = (HIPAY, MERCHANT)

ORDER_NOTIFICATION_VERSION: Final = 1
#: Members of a request that have a place of their own in the order notification.
_NAMED_MEMBERS: Final = frozenset({"order", "customer", "pos_technical_info"})


def order_notification(delivery_id: str, payment: Payment, attempt: int) -> dict[str, Any]:
    """Return HiPay's order notification, the same for each try of a delivery.

    `reference` is the payment's id, which also travels to the terminal in field CF and so to the gateway.
    `attempt` counts the payments of this order and operation, from 1. `order`, `customer` and
    `pos_technical_info` are the request's, defaults applied and unknown fields kept; `terminal` is the one
    that the payment is made with, also where the order names a registered terminal.
    """
    request = json.loads(payment.request)
    return {
        "version": ORDER_NOTIFICATION_VERSION,
        "type": "order",
        "id": delivery_id,
        "reference": payment.id,
        "merchant_id": payment.merchant_id,
        "operation": payment.operation.value,
        "attempt": attempt,
        "created_at": iso_time(payment.created_at),
        "terminal": {
            "host": payment.host,
            "port": payment.port,
            "pos_number": payment.pos_number,
            "force_authorization": payment.force_authorization,
        },
        "order": request["order"],
        "customer": request.get("customer", {}),
        "pos_technical_info": request["pos_technical_info"],
        # The POS's other members at the root, e.g. `shipping`.
        "other": {name: value for name, value in request.items() if name not in _NAMED_MEMBERS},
    }


def envelope(
    *, number: int, payment_id: str | None, sequence: int, type_: str, at: int, body: str
) -> dict[str, Any]:
    """Return an event as webhooks and the feed show it: its identity, then the members of `body`.

    `event_id` identifies the event in both; `sequence` counts the events of its payment from 1; `at` is in
    milliseconds since 1970; `body` is the text of a JSON object.
    """
    return {
        "type": type_,
        "event_id": event_id(number, payment_id, sequence),
        "sequence": sequence,
        "occurred_at": iso_time(at),
        **json.loads(body),
    }


def event_id(number: int, payment_id: str | None, sequence: int) -> str:
    """Return e.g. `evt_01K9..._2`: the second event of that payment; `evt_test_7` for a test event."""
    if payment_id is None:
        return f"evt_test_{number}"
    return f"evt_{payment_id.removeprefix(PAYMENT_PREFIX)}_{sequence}"
