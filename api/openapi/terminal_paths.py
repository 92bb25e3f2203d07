"""The paths of registered terminals, for the OpenAPI document."""

from collections.abc import Sequence
from typing import Any, Final, get_args

from api.connector.schema import DEFAULT_PORT, PROTOCOLS
from api.http.errors import (
    ApiError,
    BodyTooLarge,
    EncodedBody,
    InvalidQuery,
    InvalidRequest,
    MissingMediaType,
    NotFound,
    UnreadableBody,
    UnsupportedMediaType,
)
from api.openapi.components import json_response, parameter
from api.openapi.examples import PAYMENT_IN_DOUBT
from api.openapi.payment_paths import page_parameters
from api.openapi.payment_paths import usual_errors as _usual
from api.payments.errors import BrokerUnavailable, LineFree, MerchantSuspended, TooEarly
from api.terminals.csv_file import COLUMNS
from api.terminals.entry import READ_ONLY
from api.terminals.errors import (
    ForeignTerminal,
    ImportRefused,
    ProbeExpired,
    ReservedTerminal,
    TerminalHeld,
    TerminalLimit,
    TerminalTaken,
)
from shared.concert.profile import Profile, ReceiptBy, RequestEnd
from shared.payment.states import State
from shared.storage.terminals.probes import ProbeResult

_TEXT: Final[dict[str, Any]] = {"type": "string"}
#: A character that both databases keep.
_STORABLE: Final = "[^\\u0000]"
_PASSED_OVER: Final = "Passed over: what was read may be changed and sent back."
_TIME: Final[dict[str, Any]] = {"type": ["string", "null"], "format": "date-time"}
_COUNT: Final[dict[str, Any]] = {"type": "integer", "minimum": 0}
_JSON_TYPES: Final = {bool: "boolean", str: "string", int: "integer"}
_MAY_BE_NULL: Final = {"version": "string", "terminal_time_seconds": "integer"}


#: What else is asked of a profile's values.
_OF_PROFILE: Final[dict[str, dict[str, Any]]] = {
    "ticket": {"pattern": "^[0-9A-Za-z]{3}$"},
    "version": {"pattern": "^[0-9A-Za-z]{4}$"},
    "request_ends_with": {"enum": list(get_args(RequestEnd))},
    "receipt_by": {"enum": list(get_args(ReceiptBy))},
    "terminal_time_seconds": {
        "minimum": 1,
        "maximum": 3600,
        "description": "Not below the time that an answer is waited for (180 by default).",
    },
}


def _profile() -> dict[str, Any]:
    properties = {}
    for name, value in Profile().to_dict().items():
        kind: Any = [_MAY_BE_NULL[name], "null"] if name in _MAY_BE_NULL else _JSON_TYPES[type(value)]
        properties[name] = {"type": kind, "default": value, **_OF_PROFILE.get(name, {})}
    return {
        "type": "object",
        "description": "What this terminal can bear; only what differs from the default.",
        "properties": properties,
        "additionalProperties": False,
    }


_ENTRY: Final[dict[str, Any]] = {
    "host": {"type": "string", "minLength": 1, "maxLength": 255, "description": "Name or IP address, alone."},
    "port": {"type": "integer", "minimum": 1, "maximum": 65535, "default": DEFAULT_PORT},
    "label": {"type": "string", "maxLength": 200, "pattern": f"^{_STORABLE}*$", "default": ""},
    "shop": {"type": "string", "maxLength": 200, "pattern": f"^{_STORABLE}*$", "default": ""},
    "protocol": {
        "type": "string",
        "enum": list(PROTOCOLS),
        "default": PROTOCOLS[0],
        "description": "Spoken in probes; an order names its own.",
    },
    "pos_number": {"type": "string", "pattern": "^[0-9]{2}$"},
    "profile": _profile(),
    "authorisation": {
        "type": "object",
        "description": "When a debit asks for an authorisation though its order does not.",
        "required": ["policy"],
        "properties": {
            "policy": {"type": "string", "enum": ["standard", "always", "above"], "default": "standard"},
            "above_cents": {
                "type": "integer",
                "minimum": 0,
                "maximum": 999_999_999_999,
                "description": "With `above`, and only then: in cents.",
            },
        },
        "additionalProperties": False,
        "oneOf": [
            {"properties": {"policy": {"enum": ["standard", "always"]}, "above_cents": False}},
            {"properties": {"policy": {"enum": ["above"]}}, "required": ["above_cents"]},
        ],
    },
}

_HOLDER: Final[dict[str, Any]] = {
    "type": ["object", "null"],
    "description": "The merchant's payment or probe that holds the terminal.",
    "required": ["id", "since"],
    "properties": {
        "id": _TEXT,
        "state": {"type": "string", "enum": [state.value for state in State]},
        "since": {"type": "string", "format": "date-time"},
        "until": {"type": "string", "format": "date-time", "description": "At the latest."},
    },
}

TERMINAL_SCHEMAS: Final[dict[str, Any]] = {
    "TerminalEntry": {
        "type": "object",
        "required": ["host"],
        "properties": {
            **_ENTRY,
            "sole_use": {
                "type": ["boolean", "string"],
                "enum": [True, False, "none", "requested", "confirmed"],
                "default": False,
                "description": "Nobody else uses this address; counts once an operator has confirmed it. "
                "As an answer has it: `requested` and `confirmed` are true.",
            },
            **{name: {"readOnly": True, "description": _PASSED_OVER} for name in sorted(READ_ONLY)},
        },
        "additionalProperties": False,
        # Who asks for authorisations has a terminal that can be asked.
        "anyOf": [
            {"properties": {"authorisation": {"properties": {"policy": {"const": "standard"}}}}},
            {"properties": {"profile": {"properties": {"sends_authorisation": {"const": True}}}}},
        ],
    },
    "Terminal": {
        "type": "object",
        "required": [
            "id",
            "terminal_address",
            *_ENTRY,
            "sole_use",
            "disabled",
            "last_seen",
            "observed",
            "payments",
        ],
        "properties": {
            "id": _TEXT,
            "terminal_address": {"type": "string", "description": "`address:port` where the host leads to."},
            **_ENTRY,
            "sole_use": {"type": "string", "enum": ["none", "requested", "confirmed"]},
            "disabled": {"type": "boolean"},
            "created_at": _TIME,
            "changed_at": _TIME,
            "replaced_at": _TIME,
            "last_seen": {**_TIME, "description": "When the terminal last gave a complete answer."},
            "observed": {
                "type": "object",
                "description": "What its answers taught.",
                "properties": {
                    "answers": {**_COUNT, "description": "Answers remembered, three at most."},
                    "fields": {"type": "array", "items": _TEXT, "description": "In each of them."},
                    "identifies": {"type": ["boolean", "null"], "description": "Answers identifications."},
                    "identify_first": {
                        "type": "boolean",
                        "description": "The next payment begins with an identification.",
                    },
                },
            },
            "payments": {
                "type": "object",
                "description": "The merchant's own by id, those of others at the same address as numbers.",
                "properties": {
                    "running": _HOLDER,
                    "waiting": {"type": "array", "items": _TEXT},
                    "others_running": _COUNT,
                    "others_waiting": _COUNT,
                },
            },
        },
    },
    "TerminalPage": {
        "type": "object",
        "required": ["terminals"],
        "properties": {
            "terminals": {"type": "array", "items": {"$ref": "#/components/schemas/Terminal"}},
            "next": {"type": "string", "description": "The next page's `cursor`; left out on the last page."},
        },
    },
    "TerminalImport": {
        "type": "object",
        "required": ["dry_run", "rows", "created", "changed"],
        "properties": {"dry_run": {"type": "boolean"}, "rows": _COUNT, "created": _COUNT, "changed": _COUNT},
    },
    "Probe": {
        "type": "object",
        "required": ["outcome"],
        "properties": {
            "outcome": {
                "type": "string",
                "enum": [
                    outcome.value
                    for outcome in ProbeResult
                    if outcome not in (ProbeResult.INTERRUPTED, ProbeResult.NO_WORKER)
                ],
            },
            "round_trip_ms": {**_COUNT, "description": "From the identification to its answer."},
            "detail": _TEXT,
            "held_by": {"type": "string", "description": "The merchant's own payment or probe."},
            "held_since": {"type": "string", "format": "date-time"},
        },
    },
}

_ENTRY_EXAMPLE: Final[dict[str, Any]] = {
    "host": "127.0.0.2",
    "label": "Front till",
    "shop": "Lyon",
    "protocol": "ConcertV3.2",
    "pos_number": "07",
    "profile": {"sends_contract": False},
    "authorisation": {"policy": "above", "above_cents": 3000},
}
_EXAMPLE: Final[dict[str, Any]] = {
    "id": "till-1",
    "terminal_address": "127.0.0.2:8888",
    "port": DEFAULT_PORT,
    **_ENTRY_EXAMPLE,
    "sole_use": "none",
    "disabled": False,
    "created_at": "2026-03-01T08:00:00.000Z",
    "changed_at": "2026-03-01T08:00:00.000Z",
    "replaced_at": None,
    "last_seen": "2026-03-05T12:06:58.123Z",
    "observed": {"answers": 3, "fields": ["AE", "CB", "CZ"], "identifies": True, "identify_first": False},
    "payments": {"running": None, "waiting": [], "others_running": 0, "others_waiting": 0},
}


def terminal_paths() -> dict[str, Any]:
    """Return the paths under `/v1/terminals`."""
    one = "/v1/terminals/{terminal_id}"
    return {
        "/v1/terminals": {"get": _list()},
        "/v1/terminals/import": {"post": _import()},
        one: {"get": _shown("getTerminal", "Return a terminal"), "put": _put(), "delete": _delete()},
        f"{one}/disable": {"post": _shown("disableTerminal", "Take no more payments on this terminal")},
        f"{one}/enable": {"post": _shown("enableTerminal", "Take payments again")},
        f"{one}/replace": {
            "post": _shown(
                "replaceTerminal", "Another device is at the same place: learn anew", [TerminalHeld()]
            )
        },
        f"{one}/probe": {"post": _probe()},
        f"{one}/release": {"post": _release()},
    }


def _errors(
    *more: list[ApiError], forbidden: Sequence[ApiError] = (), broker: Sequence[ApiError] = ()
) -> dict[str, Any]:
    """The usual ones; those of a status that has usual ones already are added to them."""
    responses = _usual(*more)
    for errors in (forbidden, broker):
        for error in errors:
            examples = responses[str(error.status)]["content"]["application/json"]["examples"]
            examples[error.code] = {"value": error.body()}
    return responses


def _operation(
    name: str,
    summary: str,
    responses: dict[str, Any],
    *,
    parameters: list[dict[str, Any]],
    security: str = "basic",
    **more: Any,
) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "security": [{security: []}],
        "parameters": parameters,
        **more,
        "responses": responses,
    }


def _terminal_id() -> dict[str, Any]:
    pattern = {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"}
    return parameter("terminal_id", "path", pattern, "Chosen by the merchant.")


def _one(description: str = "The terminal.") -> dict[str, Any]:
    return json_response(description, "Terminal", {"terminal": _EXAMPLE})


def _list() -> dict[str, Any]:
    page = json_response("One page.", "TerminalPage", {"last page": {"terminals": [_EXAMPLE]}})
    return _operation(
        "listTerminals",
        "List the merchant's terminals by id",
        {"200": page, **_errors([InvalidQuery("limit")])},
        parameters=page_parameters(),
    )


def _shown(name: str, summary: str, *more: list[ApiError]) -> dict[str, Any]:
    return _operation(
        name,
        summary,
        {"200": _one(), **_errors([NotFound()], *more)},
        parameters=[_terminal_id()],
    )


def _put() -> dict[str, Any]:
    wrong = InvalidRequest("pattern", "should be 2 digits", "pos_number")
    return _operation(
        "putTerminal",
        "Register a terminal, or change it to exactly what is said",
        {
            "200": _one("It was changed."),
            "201": _one("It is new."),
            **_errors(
                [wrong, UnreadableBody(), MissingMediaType()],
                [TerminalTaken(), TerminalLimit()],
                [BodyTooLarge()],
                [UnsupportedMediaType(), EncodedBody()],
                forbidden=_places(),
            ),
        },
        parameters=[_terminal_id()],
        requestBody={
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/TerminalEntry"},
                    "examples": {"usual": {"value": _ENTRY_EXAMPLE}},
                }
            },
        },
    )


def _places() -> list[ApiError]:
    return [ForeignTerminal(), ReservedTerminal()]


def _delete() -> dict[str, Any]:
    gone = {"description": "It is gone; its payments go on as they were accepted."}
    return _operation(
        "deleteTerminal",
        "Remove a terminal",
        {"204": gone, **_errors([NotFound()])},
        parameters=[_terminal_id()],
    )


def _import() -> dict[str, Any]:
    flag = {"type": "boolean", "default": False}
    refused = ImportRefused(
        details={"errors": [{"row": 2, "column": "port", "problem": "should be >= 1"}], "error_count": 1}
    )
    stored = {"dry_run": False, "rows": 2, "created": 1, "changed": 1}
    return _operation(
        "importTerminals",
        "Register every row of a CSV file, or none",
        {
            "200": json_response("Every row is stored.", "TerminalImport", {"stored": stored}),
            **_errors(
                [refused, InvalidQuery("dry_run")],
                [TerminalLimit()],
                [BodyTooLarge()],
                [UnsupportedMediaType("The Content-Type is not supported; send text/csv."), EncodedBody()],
            ),
        },
        parameters=[parameter("dry_run", "query", flag, "Check the file, store nothing.")],
        description=f"The header row names columns of: {', '.join(COLUMNS)}.",
        requestBody={
            "required": True,
            "content": {
                "text/csv": {"schema": _TEXT, "example": "id,host,label\ntill-1,127.0.0.2,Front till\n"}
            },
        },
    )


def _probe() -> dict[str, Any]:
    examples = {
        "reachable": {"outcome": "reachable", "round_trip_ms": 84},
        "held": {"outcome": "held", "held_since": "2026-03-05T12:06:58.123Z"},
        "unreachable": {"outcome": "unreachable", "detail": "Connection refused"},
    }
    return _operation(
        "probeTerminal",
        "Look whether a terminal is there",
        {
            "200": json_response("What was found.", "Probe", examples),
            **_errors(
                [NotFound()],
                [ProbeExpired()],
                broker=[BrokerUnavailable()],
                forbidden=[*_places(), MerchantSuspended("unpaid invoices")],
            ),
        },
        parameters=[_terminal_id()],
        description="One identification: nothing is shown on the terminal. Takes the terminal as a payment "
        "does, so that it never disturbs one.",
    )


def _release() -> dict[str, Any]:
    asked = json_response("Asked for.", "Accepted", {"asked": {"payment": PAYMENT_IN_DOUBT}})
    conflicts: list[ApiError] = [TooEarly(12), LineFree()]
    return _operation(
        "releaseTerminalById",
        "Ask for the terminal that a payment in doubt holds",
        {"202": asked, **_errors([NotFound()], conflicts)},
        parameters=[_terminal_id()],
        description="For a person who sees that the terminal shows nothing of the payment any more.",
    )
