"""What a merchant says of a webhook endpoint: schemas and reading. Where we may post is not asked here."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from api.connector.schema import BodyChecker
from shared.network.targets import MAX_URL_LENGTH
from shared.notification.events import PAYMENT_TYPES
from shared.storage.webhooks.endpoints import Changes

_LONGEST_OVERLAP_SECONDS: Final = 604_800

_MEMBERS: Final[dict[str, Any]] = {
    "url": {
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_URL_LENGTH,
        "pattern": "^[^\\u0000]*$",
        "description": "Where events are posted: https, a public address, no user name, no fragment.",
        "examples": ["https://127.0.0.1/hooks/payments"],
    },
    "description": {
        "type": "string",
        "maxLength": 200,
        "pattern": "^[^\\u0000]*$",
        "default": "",
        "description": "For people.",
        "examples": ["Accounting"],
    },
    "types": {
        "type": "array",
        "maxItems": 50,
        "items": {"type": "string", "enum": [type_.value for type_ in PAYMENT_TYPES]},
        "default": [],
        "description": "The event types that it hears of; empty: all of them.",
        "examples": [["payment.succeeded", "payment.resolved"]],
    },
}

NEW_ENDPOINT: Final[dict[str, Any]] = {
    "type": "object",
    "description": "An address that is to hear of the merchant's payments.",
    "required": ["url"],
    "additionalProperties": False,
    "properties": _MEMBERS,
}

ENDPOINT_CHANGES: Final[dict[str, Any]] = {
    "type": "object",
    "description": "What is to be changed; what is left out stays.",
    "required": [],
    "additionalProperties": False,
    "properties": {
        **{
            name: {key: value for key, value in schema.items() if key != "default"}
            for name, schema in _MEMBERS.items()
        },
        "disabled": {
            "type": "boolean",
            "description": "`true`: it hears of nothing, and what waits for it is ended. `false`: it hears "
            "of what happens from now on.",
            "examples": [True],
        },
    },
}

ROTATION: Final[dict[str, Any]] = {
    "type": "object",
    "description": "How the secret is changed.",
    "required": [],
    "additionalProperties": False,
    "properties": {
        "overlap_seconds": {
            "type": "integer",
            "minimum": 0,
            "maximum": _LONGEST_OVERLAP_SECONDS,
            "description": "How long the earlier secrets still sign beside the new one; 0 for one that got "
            "into wrong hands. A day unless the installation is set otherwise.",
            "examples": [3600],
        },
    },
}


@dataclass(frozen=True, slots=True)
class EndpointRequest:
    """A new endpoint; `types` empty: all."""

    url: str
    description: str
    types: Sequence[str]


def parse_endpoint(body: bytes, nesting_limit: int) -> EndpointRequest:
    """Raises UnreadableBody and InvalidRequest."""
    said = _new_checker().read(body, nesting_limit)
    return EndpointRequest(said["url"], said.get("description", ""), _types(said) or ())


def parse_changes(body: bytes, nesting_limit: int) -> Changes:
    """Raises UnreadableBody and InvalidRequest."""
    said = _changes_checker().read(body, nesting_limit)
    return Changes(
        url=said.get("url"),
        description=said.get("description"),
        types=_types(said),
        disabled=said.get("disabled"),
    )


def parse_rotation(body: bytes, nesting_limit: int, *, default_seconds: float) -> float:
    """Return for how many seconds earlier secrets still sign. Raises UnreadableBody and InvalidRequest."""
    if not body:
        return default_seconds
    said = _rotation_checker().read(body, nesting_limit)
    return float(said.get("overlap_seconds", default_seconds))


def _types(said: dict[str, Any]) -> Sequence[str] | None:
    if "types" not in said:
        return None
    return [type_.value for type_ in PAYMENT_TYPES if type_.value in said["types"]]


@cache
def _new_checker() -> BodyChecker:
    return BodyChecker(NEW_ENDPOINT)


@cache
def _changes_checker() -> BodyChecker:
    return BodyChecker(ENDPOINT_CHANGES)


@cache
def _rotation_checker() -> BodyChecker:
    return BodyChecker(ROTATION)
