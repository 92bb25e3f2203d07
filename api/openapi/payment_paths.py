"""The merchant's paths of payments, for the OpenAPI document."""

from typing import Any, Final

from api.http.errors import (
    ApiError,
    DatabaseOutage,
    HeadTooLarge,
    InvalidQuery,
    LineFree,
    MethodNotAllowed,
    NotFound,
    PaymentConflict,
    PublicCredential,
    RequestTimeout,
    TooEarly,
    TooManyConnections,
    TooManyFailedLogins,
    TooManyRequests,
    Unauthorized,
    UndefinedError,
    WrongCredentialKind,
)
from api.openapi.answer_schema import PAYMENT
from api.openapi.components import QUERY_PLACE, QUERY_TEXT, error_response, json_response, parameter
from api.openapi.examples import EXAMPLE_PAYMENT_ID, PAYMENT_IN_DOUBT, PAYMENT_QUEUED, SUCCESS_ANSWER
from shared.payment.states import State

_TEXT: Final = {"type": "string"}
_TIME: Final = {"type": "string", "format": "date-time"}

EVENT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["at", "event", "state", "detail"],
    "properties": {
        "at": _TIME,
        "event": {"type": "string", "description": "What happened, a stable word."},
        "state": {**PAYMENT["properties"]["state"], "description": "The state after it."},
        "detail": {"type": "object", "description": "More on it; card numbers are masked."},
    },
}

PAYMENT_SCHEMAS: Final[dict[str, Any]] = {
    "PaymentPage": {
        "type": "object",
        "required": ["payments"],
        "properties": {
            "payments": {"type": "array", "items": {"$ref": "#/components/schemas/Payment"}},
            "next": {"type": "string", "description": "The next page's `cursor`; left out on the last page."},
        },
    },
    "PaymentAnswer": {
        "description": "The answer of the order where the attempt ended with one, else the payment alone.",
        "anyOf": [{"$ref": "#/components/schemas/Answer"}, {"$ref": "#/components/schemas/Accepted"}],
    },
    "Events": {
        "type": "object",
        "required": ["events"],
        "properties": {"events": {"type": "array", "items": EVENT}},
    },
}

_CANCELLED: Final = {**PAYMENT_QUEUED, "state": "cancelled", "reason": "caller", "safe_to_retry": True}
_EVENTS_EXAMPLE: Final = {
    "events": [
        {"at": "2026-03-05T12:06:41.007Z", "event": "accepted", "state": "queued", "detail": {}},
        {
            "at": "2026-03-05T12:06:45.100Z",
            "event": "cancelled",
            "state": "cancelled",
            "detail": {"reason": "caller"},
        },
    ]
}


def payment_paths(wait_seconds: int) -> dict[str, Any]:
    """Return the paths under `/v1/payments`; a payment is waited for at most so long."""
    one = "/v1/payments/{payment_id}"
    return {
        "/v1/payments": {"get": _list()},
        one: {"get": _get(wait_seconds)},
        f"{one}/events": {"get": _events()},
        f"{one}/cancel": {"post": _cancel()},
        f"{one}/release": {"post": _release()},
    }


def payment_id_parameter() -> dict[str, Any]:
    return parameter("payment_id", "path", _TEXT, f"e.g. `{EXAMPLE_PAYMENT_ID}`")


def page_parameters() -> list[dict[str, Any]]:
    limit = {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
    return [
        parameter("limit", "query", limit, "How many payments a page holds."),
        parameter(
            "cursor", "query", QUERY_PLACE, "Where the page begins: what an earlier page named as `next`."
        ),
    ]


def usual_errors(*more: list[ApiError]) -> dict[str, Any]:
    """Return the responses of the errors that every path has, and of some more, by their status."""
    errors: list[list[ApiError]] = [
        [Unauthorized("Incorrect credentials")],
        [PublicCredential(), WrongCredentialKind()],
        [MethodNotAllowed()],
        [RequestTimeout()],
        [TooManyRequests(), TooManyConnections(), TooManyFailedLogins()],
        [HeadTooLarge()],
        [UndefinedError(), DatabaseOutage()],
        *more,
    ]
    return {
        str(same[0].status): error_response(same[0].message, same)
        for same in sorted(errors, key=lambda same: same[0].status)
    }


def _list() -> dict[str, Any]:
    state = {"type": "string", "enum": PAYMENT["properties"]["state"]["enum"]}
    return {
        "operationId": "listPayments",
        "summary": "List payments, newest first",
        "security": [{"basic": []}],
        "parameters": [
            parameter("order_id", "query", QUERY_TEXT, "Attempts of this order only."),
            parameter("terminal", "query", QUERY_TEXT, "On this registered terminal only."),
            parameter("terminal_address", "query", QUERY_TEXT, "On this `address:port` only."),
            parameter("state", "query", state, "In this state only."),
            parameter("created_from", "query", _TIME, "Accepted at this time or later."),
            parameter("created_to", "query", _TIME, "Accepted before this time."),
            *page_parameters(),
        ],
        "responses": {
            "200": json_response(
                "One page. What is accepted meanwhile is newer than every page that follows.",
                "PaymentPage",
                {"last page": {"payments": [SUCCESS_ANSWER["payment"]]}},
            ),
            **usual_errors([InvalidQuery("state")], [NotFound()]),
        },
    }


def _get(wait_seconds: int) -> dict[str, Any]:
    wait = {"type": "integer", "minimum": 0, "maximum": wait_seconds, "default": 0}
    return {
        "operationId": "getPayment",
        "summary": "Return a payment, or wait until it is settled",
        "security": [{"basic": []}],
        "parameters": [
            payment_id_parameter(),
            parameter(
                "wait",
                "query",
                wait,
                "Wait so many seconds at most until the payment is settled, through its doubt too; at most "
                "as long as this installation lets an order be waited for.",
            ),
        ],
        "responses": {
            "200": json_response(
                "The payment as it is stored now.",
                "PaymentAnswer",
                {"settled": SUCCESS_ANSWER, "in doubt": {"payment": PAYMENT_IN_DOUBT}},
            ),
            **usual_errors([InvalidQuery("wait")], [NotFound()]),
        },
    }


def _events() -> dict[str, Any]:
    return {
        "operationId": "listPaymentEvents",
        "summary": "Return a payment's history, oldest first",
        "security": [{"basic": []}],
        "parameters": [payment_id_parameter()],
        "responses": {
            "200": json_response("Every event.", "Events", {"cancelled": _EVENTS_EXAMPLE}),
            **usual_errors([InvalidQuery("limit")], [NotFound()]),
        },
    }


def _cancel() -> dict[str, Any]:
    return {
        "operationId": "cancelPayment",
        "summary": "Stop a payment while it is queued",
        "description": "Once a terminal has it nobody can: the 409 says in which state it is. Repeatable.",
        "security": [{"basic": []}],
        "parameters": [payment_id_parameter()],
        "responses": {
            "200": json_response("It is cancelled.", "PaymentAnswer", {"cancelled": {"payment": _CANCELLED}}),
            **usual_errors(
                [NotFound()],
                [PaymentConflict(State.IN_SESSION, "it can be cancelled only while it is queued")],
            ),
        },
    }


def _release() -> dict[str, Any]:
    return {
        "operationId": "releaseTerminal",
        "summary": "Ask for the terminal of a payment in doubt",
        "description": "For a person who sees that the terminal shows nothing of the payment any more. The "
        "payment stays in doubt; the terminal is free for others some seconds later.",
        "security": [{"basic": []}],
        "parameters": [payment_id_parameter()],
        "responses": {
            "202": json_response("Asked for.", "Accepted", {"asked": {"payment": PAYMENT_IN_DOUBT}}),
            **usual_errors(
                [NotFound()], [TooEarly(12), LineFree(), PaymentConflict(State.REFUSED, "it is not in doubt")]
            ),
        },
    }
