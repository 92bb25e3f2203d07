"""Builds the OpenAPI document of the contract, independent of any running application."""

import json
from functools import cache
from typing import Any, Final

from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from api.connector.models import Answer
from api.connector.schema import ORDER_REQUEST
from api.http.errors import (
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
    DatabaseOutage,
    EncodedBody,
    ForeignTerminal,
    HeadTooLarge,
    InvalidHeader,
    InvalidRequest,
    KeyClosed,
    KeyConflict,
    MerchantSuspended,
    MethodNotAllowed,
    MissingMediaType,
    OrderConflict,
    Overloaded,
    PaymentExpired,
    PublicCredential,
    RequestTimeout,
    TerminalTimeout,
    TerminalUnavailable,
    TooManyConnections,
    TooManyFailedLogins,
    TooManyOpenPayments,
    TooManyOrders,
    TooManyStoredBytes,
    Unauthorized,
    UndefinedError,
    UnknownTerminal,
    UnknownWebhookEndpoint,
    UnreadableBody,
    UnsupportedByTerminal,
    UnsupportedMediaType,
    WrongCredentialKind,
)
from api.openapi.components import (
    Error,
    error_response,
    header,
    json_response,
    parameter,
    published,
    string,
)
from api.openapi.delivery_paths import DELIVERY_SCHEMAS, delivery_paths
from api.openapi.examples import (
    EXAMPLE_REQUEST,
    FAILURE_ANSWER,
    FULL_REQUEST,
    MINIMAL_REQUEST,
    PAYMENT_QUEUED,
    SUCCESS_ANSWER,
)
from api.openapi.rate_limit_headers import with_rate_limit_headers
from api.openapi.terminal_paths import TERMINAL_SCHEMAS, terminal_paths
from api.openapi.webhook_paths import WEBHOOK_SCHEMAS, webhook_paths
from api.payments.models import Accepted
from api.routers import ROUTERS

TITLE: Final = "Cloud API for standalone payment terminals"
CONTRACT_VERSION: Final = "1.2.0"
#: Unless the installation is set otherwise.
WAIT_SECONDS: Final = 240


@cache
def openapi_document(wait_seconds: int = WAIT_SECONDS) -> dict[str, Any]:
    """Return the document; a payment is waited for at most so long."""
    document = get_openapi(
        title=TITLE,
        version=CONTRACT_VERSION,
        description="One request wakes a payment terminal, the answer is the payment's result.",
        servers=[{"url": "/", "description": "This server"}],
        routes=[route for router in ROUTERS for route in router.routes],
        separate_input_output_schemas=False,
    )
    for part in ("paths", "components"):
        document[part] = _published(document[part])
    _, named = models_json_schema(
        [(model, "validation") for model in (Error, Answer, Accepted)],
        ref_template="#/components/schemas/{model}",
    )
    generated = document["paths"]
    written = _written_paths()
    (wait,) = (
        parameter["schema"]
        for parameter in generated["/v1/payments/{payment_id}"]["get"]["parameters"]
        if parameter["name"] == "wait"
    )
    wait["maximum"] = wait_seconds
    document["paths"] = with_rate_limit_headers(
        {path: {**written.get(path, {}), **generated.get(path, {})} for path in {**written, **generated}}
    )
    document["components"]["schemas"] = {
        "OrderRequest": published(ORDER_REQUEST),
        **_published(named["$defs"]),
        **published(TERMINAL_SCHEMAS),
        **published(WEBHOOK_SCHEMAS),
        **published(DELIVERY_SCHEMAS),
        **document["components"]["schemas"],
    }
    copied: dict[str, Any] = json.loads(json.dumps(document))
    return copied


def _written_paths() -> dict[str, Any]:
    return {
        "/v1/connector/order": {"post": _order_operation()},
        "/v1/connector/healthcheck": {"get": _healthcheck_operation()},
        **terminal_paths(),
        **webhook_paths(),
        **delivery_paths(),
    }


def _published(schema: Any) -> Any:
    """Return a copy without FastAPI's own 422, without titles, and without null as a default."""
    if isinstance(schema, dict):
        return {
            name: _published(part)
            for name, part in schema.items()
            if name not in ("422", "HTTPValidationError", "ValidationError")
            and not (name == "default" and part is None)
            and not (name == "title" and isinstance(part, str))
        }
    return [_published(part) for part in schema] if isinstance(schema, list) else schema


def _order_operation() -> dict[str, Any]:
    return {
        "operationId": "order",
        "summary": "Make one payment operation on one terminal",
        "description": "Waits for the result. The same operation sent again (order_id and transaction_type, "
        "with the same amount and terminal) joins the running payment or gets its stored result; it never "
        "charges twice.",
        "security": [{"basic": []}],
        "parameters": [
            parameter(
                "Idempotency-Key",
                "header",
                {"type": "string", "pattern": "^[!-~]{1,255}$"},
                "Names the operation; tells equal credits of one order apart.",
            ),
            header("Prefer", "`respond-async` answers at once; `wait=N` waits at most N seconds."),
            header("X-Request-Id", "Returned in the answer and written in the logs."),
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
            "200": json_response(
                "The payment attempt ended, in success or in failure.",
                "Answer",
                {"success": SUCCESS_ANSWER, "failure": FAILURE_ANSWER},
            ),
            "202": json_response(
                "Accepted; the caller asked not to wait (`Prefer: respond-async`).",
                "Accepted",
                {"accepted": {"payment": PAYMENT_QUEUED}},
                {"Location": string("Where the payment can be read.")},
            ),
            **{
                str(errors[0].status): error_response(description, errors)
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
            MerchantSuspended("unpaid invoices"),
        ],
        "The method is not supported.": [MethodNotAllowed()],
        "The request contradicts the order's earlier operations; nothing was done.": [
            *(OrderConflict(reason) for reason in ORDER_CONFLICTS),
            KeyConflict(),
            KeyClosed(),
        ],
        "The body is too large.": [BodyTooLarge()],
        "The media type is not `application/*`, or the body is encoded.": [
            UnsupportedMediaType(),
            EncodedBody(),
        ],
        "The request did not come in time; nothing was done.": [RequestTimeout()],
        "This credential, or its merchant, sends more than its share; nothing was accepted. Or too many "
        "connections of this address have not logged in, or too many log-ins failed.": [
            TooManyOrders(),
            TooManyOpenPayments(),
            TooManyStoredBytes(),
            TooManyConnections(),
            TooManyFailedLogins(),
        ],
        "Request line and headers are too large.": [HeadTooLarge()],
        "Anything unexpected on our side.": [UndefinedError(), DatabaseOutage(), BrokerUnavailable()],
        "The terminal is off or has no network: certainly nothing was sent.": [TerminalUnavailable()],
        "Not accepted; come again after `Retry-After` seconds.": [Overloaded(), Contended()],
        "No valid answer in time: the outcome may be unknown, see `payment`.": [
            TerminalTimeout(),
            PaymentExpired(),
        ],
    }
