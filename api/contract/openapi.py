"""Builds the OpenAPI document of the contract, independent of any running application.

`python -m api.contract.openapi` writes the committed copy, api/openapi.json, anew.
"""

import json
from pathlib import Path
from typing import Any, Final

from api.contract.answer_schema import ACCEPTED, ANSWER, ERROR, PAYMENT
from api.contract.errors import (
    HEADER_EMPTY,
    HEADER_INVALID,
    HEADER_NOT_BASIC,
    HEADER_NOT_FOUND,
    INCORRECT_CREDENTIALS,
    ORDER_CONFLICTS,
    ApiError,
    BodyTooLarge,
    BrokerUnavailable,
    Contended,
    DatabaseUnavailable,
    ForeignTerminal,
    InvalidHeader,
    InvalidRequest,
    KeyClosed,
    KeyConflict,
    MethodNotAllowed,
    MissingMediaType,
    OrderConflict,
    Overloaded,
    PaymentExpired,
    PublicCredential,
    TerminalTimeout,
    TerminalUnavailable,
    Unauthorized,
    UndefinedError,
    UnknownTerminal,
    UnknownWebhookEndpoint,
    UnreadableBody,
    UnsupportedByTerminal,
    UnsupportedMediaType,
    WrongCredentialKind,
)
from api.contract.examples import (
    EXAMPLE_REQUEST,
    FAILURE_ANSWER,
    FULL_REQUEST,
    MINIMAL_REQUEST,
    PAYMENT_IN_DOUBT,
    PAYMENT_QUEUED,
    SUCCESS_ANSWER,
)
from api.contract.schema import ORDER_REQUEST

CONTRACT_VERSION: Final = "1.2.0"
COMMITTED_COPY: Final = Path(__file__).parent.parent / "openapi.json"


def openapi_document() -> dict[str, Any]:
    """Return the document; a fresh copy at each call."""
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Cloud API for standalone payment terminals",
            "version": CONTRACT_VERSION,
            "description": "One request wakes a payment terminal, the answer is the payment's result.",
        },
        "servers": [{"url": "/", "description": "This server"}],
        "paths": {
            "/v1/connector/order": {"post": _order_operation()},
            "/v1/connector/healthcheck": {"get": _healthcheck_operation()},
        },
        "components": {
            "securitySchemes": {
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "Private credentials of a merchant. Public ones are answered with a 403.",
                }
            },
            "schemas": {
                "OrderRequest": _without_extensions(ORDER_REQUEST),
                "Answer": ANSWER,
                "Accepted": ACCEPTED,
                "Payment": PAYMENT,
                "Error": ERROR,
            },
        },
    }
    copied: dict[str, Any] = json.loads(json.dumps(document))
    return copied


def openapi_text() -> str:
    """Return the document as the committed copy has it."""
    return json.dumps(openapi_document(), indent=2, ensure_ascii=False) + "\n"


def _order_operation() -> dict[str, Any]:
    return {
        "operationId": "order",
        "summary": "Make one payment operation on one terminal",
        "description": "Waits for the result. The same operation sent again (order_id and transaction_type, "
        "with the same amount and terminal) joins the running payment or gets its stored result; it never "
        "charges twice.",
        "security": [{"basic": []}],
        "parameters": [
            _header("Idempotency-Key", "Names the operation; tells equal credits of one order apart."),
            _header("Prefer", "`respond-async` answers at once; `wait=N` waits at most N seconds."),
            _header("X-Request-Id", "Returned in the answer and written in the logs."),
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/OrderRequest"},
                    "examples": {
                        "usual": {"value": EXAMPLE_REQUEST},
                        "mandatory fields only": {"value": MINIMAL_REQUEST},
                        "every field": {"value": FULL_REQUEST},
                    },
                }
            },
        },
        "responses": {
            "200": _json_response(
                "The payment attempt ended, in success or in failure.",
                "Answer",
                {"success": SUCCESS_ANSWER, "failure": FAILURE_ANSWER},
            ),
            "202": _json_response(
                "Accepted; the caller asked not to wait (`Prefer: respond-async`).",
                "Accepted",
                {"accepted": {"payment": PAYMENT_QUEUED}},
                {"Location": _string("Where the payment can be read.")},
            ),
            **{
                str(errors[0].status): _error_response(description, errors)
                for description, errors in _order_errors().items()
            },
        },
    }


def _healthcheck_operation() -> dict[str, Any]:
    return {
        "operationId": "healthcheck",
        "summary": "Say whether this server takes requests",
        "responses": {
            "200": {
                "description": "Ready for requests.",
                "content": {"text/plain": {"schema": {"type": "string"}, "example": "up"}},
            },
            "503": {"description": "Not ready for requests."},
        },
    }


def _order_errors() -> dict[str, list[ApiError]]:
    return {
        "A mandatory field is missing, a field has the wrong format or value, or the body is unreadable. "
        "Nothing was stored.": [
            InvalidRequest("required", "should have required property 'order_id'", "order.order_id"),
            UnreadableBody(),
            MissingMediaType(),
            InvalidHeader("The Idempotency-Key is too long."),
            UnknownTerminal(),
            UnsupportedByTerminal(),
            UnknownWebhookEndpoint(),
        ],
        "The Authorization header is missing, empty, not Basic, malformed, or the credentials are wrong.": [
            Unauthorized(details)
            for details in (
                HEADER_NOT_FOUND,
                HEADER_EMPTY,
                HEADER_NOT_BASIC,
                HEADER_INVALID,
                INCORRECT_CREDENTIALS,
            )
        ],
        "The credentials or the terminal are not allowed.": [
            PublicCredential(),
            WrongCredentialKind(),
            ForeignTerminal(),
        ],
        "The method is not supported.": [MethodNotAllowed()],
        "The request contradicts the order's earlier operations; nothing was done.": [
            *(OrderConflict(reason) for reason in ORDER_CONFLICTS),
            KeyConflict(),
            KeyClosed(),
        ],
        "The body is too large.": [BodyTooLarge()],
        "The media type is not `application/*`.": [UnsupportedMediaType()],
        "Anything unexpected on our side.": [UndefinedError(), DatabaseUnavailable(), BrokerUnavailable()],
        "The terminal is off or has no network: certainly nothing was sent.": [TerminalUnavailable()],
        "Not accepted; come again after `Retry-After` seconds.": [Overloaded(), Contended()],
        "No valid answer in time: the outcome may be unknown, see `payment`.": [
            TerminalTimeout(),
            PaymentExpired(),
        ],
    }


def _error_response(description: str, errors: list[ApiError]) -> dict[str, Any]:
    examples = {error.code: error.body() for error in errors}
    if len(examples) < len(errors):
        examples = {str(error.details): error.body() for error in errors}
    if TerminalTimeout.code in examples:
        examples[TerminalTimeout.code]["payment"] = PAYMENT_IN_DOUBT
    headers = {name: _string(f"e.g. `{value}`") for name, value in errors[0].headers.items()}
    return _json_response(description, "Error", examples, headers)


def _json_response(
    description: str, schema: str, examples: dict[str, Any], headers: dict[str, Any] | None = None
) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": description,
        "content": {
            "application/json": {
                "schema": {"$ref": f"#/components/schemas/{schema}"},
                "examples": {name: {"value": value} for name, value in examples.items()},
            }
        },
    }
    if headers:
        response["headers"] = headers
    return response


def _header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, **_string(description)}


def _string(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


def _without_extensions(schema: Any) -> Any:
    # What is only for our own refusals is no part of the published description.
    if isinstance(schema, dict):
        return {name: _without_extensions(part) for name, part in schema.items() if not name.startswith("x-")}
    return [_without_extensions(part) for part in schema] if isinstance(schema, list) else schema


if __name__ == "__main__":
    COMMITTED_COPY.write_text(openapi_text(), encoding="utf-8")
