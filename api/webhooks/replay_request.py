"""Which deliveries are to be sent once more: schemas and reading."""

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from api.connector.schema import BodyChecker
from api.http.errors import InvalidRequest
from api.http.query import read_cursor, read_time
from shared.notification.events import EventType
from shared.notification.kinds import HIPAY, MERCHANT
from shared.storage.payments.listing import Place
from shared.storage.webhooks.delivery_list import DeliveryFilter

#: States that a delivery can be sent again from.
ENDED: Final = ("delivered", "dead")
#: What deliveries tell of: a merchant's events, and HiPay's order notification.
ORDER: Final = "order"
MERCHANTS_TYPES: Final = tuple(type_.value for type_ in EventType)

_ID: Final[dict[str, Any]] = {"type": "string", "maxLength": 64, "pattern": "^[^\\u0000]*$"}
#: Read by `read_time`, so that its error is in the words of a query's.
_TIME: Final[dict[str, Any]] = {
    "type": "string",
    "maxLength": 64,
    "x-published": {"format": "date-time"},
}

_MEMBERS: Final[dict[str, Any]] = {
    "endpoint_id": {
        **_ID,
        "description": "To this endpoint only.",
        "examples": ["whe_01JNK4T0V8W9A4C6Q2Y3ZB5XDE"],
    },
    "state": {
        "type": "string",
        "enum": list(ENDED),
        "description": "Those that failed for good (`dead`), or those that were delivered.",
        "examples": ["dead"],
    },
    "type": {
        "type": "string",
        "enum": list(MERCHANTS_TYPES),
        "description": "Of this event type only.",
        "examples": ["payment.succeeded"],
    },
    "from": {
        **_TIME,
        "description": "Written at this time or later: ISO 8601 with its offset.",
        "examples": ["2026-03-05T12:00:00Z"],
    },
    "to": {
        **_TIME,
        "description": "Written before this time; left out: before now.",
        "examples": ["2026-03-06T12:00:00Z"],
    },
    "cursor": {
        **_ID,
        "maxLength": 128,
        "description": "Where to go on: what an earlier answer named as `next`.",
        "examples": ["MTc3MjcxMjQwMTAwNy5kbHZfMQ"],
    },
}

REPLAY: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Which deliveries are sent once more.",
    "required": ["state", "from"],
    "additionalProperties": False,
    "properties": _MEMBERS,
}

OPERATORS_REPLAY: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Which deliveries are sent once more, of whichever merchant.",
    "required": ["state", "from"],
    "additionalProperties": False,
    "properties": {
        "kind": {
            "type": "string",
            "enum": [HIPAY, MERCHANT],
            "description": "HiPay's order notifications, or merchants' webhooks.",
            "examples": [HIPAY],
        },
        "merchant_id": {
            **_ID,
            "description": "Of this merchant only.",
            "examples": ["mer_01JNK4T0V8W9A4C6Q2Y3ZB5XDE"],
        },
        **_MEMBERS,
        "type": {**_MEMBERS["type"], "enum": [ORDER, *MERCHANTS_TYPES]},
    },
}


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """What is asked for; `after` is where an earlier request ended."""

    wanted: DeliveryFilter
    after: Place | None


def parse_replay(body: bytes, nesting_limit: int, merchant_id: str) -> ReplayRequest:
    """Return what a merchant asks for: of its own. Raises UnreadableBody and InvalidRequest."""
    said = _checker().read(body, nesting_limit)
    return _request({**said, "merchant_id": merchant_id, "kind": MERCHANT})


def parse_operators_replay(body: bytes, nesting_limit: int) -> ReplayRequest:
    """Raises UnreadableBody and InvalidRequest."""
    return _request(_operators_checker().read(body, nesting_limit))


def _request(said: dict[str, Any]) -> ReplayRequest:
    after = None
    if "cursor" in said:
        after = read_cursor(said["cursor"])
        if after is None:
            raise InvalidRequest("format", "should be what an earlier answer named as `next`", "cursor")
    wanted = DeliveryFilter(
        merchant_id=said.get("merchant_id"),
        kind=said.get("kind"),
        target=said.get("endpoint_id"),
        state=said["state"],
        type=said.get("type"),
        created_from=_time(said, "from"),
        created_before=_time(said, "to"),
    )
    return ReplayRequest(wanted, after)


def _time(said: dict[str, Any], name: str) -> int | None:
    if name not in said:
        return None
    at = read_time(said[name])
    if at is None:
        raise InvalidRequest("format", "should be a time like 2026-03-05T12:06:58.123Z", name)
    return at


@cache
def _checker() -> BodyChecker:
    return BodyChecker(REPLAY)


@cache
def _operators_checker() -> BodyChecker:
    return BodyChecker(OPERATORS_REPLAY)
