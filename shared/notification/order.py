"""HiPay's order notification: all that the till said of an order, whatever the terminal does."""

import json
from typing import Any, Final

from shared.payment.payment import Payment
from shared.runtime.times import iso_time

VERSION: Final = 1

_SHOWN: Final = frozenset({"order", "customer", "pos_technical_info"})


def order_notification(delivery_id: str, payment: Payment, attempt: int) -> dict[str, Any]:
    """Return the notification's JSON; the same for each try of a delivery.

    `reference` is the payment's id, which also travels to the terminal in field CF and so to the gateway.
    `attempt` counts the payments of this order and operation, from 1. `order`, `customer` and
    `pos_technical_info` are the request's, defaults filled in and unknown fields kept; `terminal` is what the
    payment is made with, also where the order names a registered terminal.
    """
    request = json.loads(payment.request)
    return {
        "version": VERSION,
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
        # What else the till sent at the root, e.g. `shipping`.
        "other": {name: value for name, value in request.items() if name not in _SHOWN},
    }
