"""An event as it is read by others: by webhook and in the feed, in the same words."""

import json
from typing import Any

from shared.runtime.ids import PAYMENT_PREFIX
from shared.runtime.times import iso_time


def envelope(
    *, number: int, payment_id: str | None, sequence: int, type_: str, at: int, body: str
) -> dict[str, Any]:
    """Return the event's JSON: what it is, then what it says (`body`, a JSON object's text).

    `event_id` names the event wherever it is read; `sequence` counts the events of its payment from 1; `at`
    is in milliseconds since 1970.
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
