"""Building blocks of the OpenAPI document: errors, examples, parameters."""

from http import HTTPStatus
from itertools import groupby
from typing import Any, Final

from pydantic import Field

from api.http.errors import (
    ApiError,
    BodyTooLarge,
    DatabaseOutage,
    EncodedBody,
    HeadTooLarge,
    InvalidRequest,
    MethodNotAllowed,
    MissingMediaType,
    RequestTimeout,
    UndefinedError,
    UnreadableBody,
    UnsupportedMediaType,
)
from api.http.logins.errors import (
    PublicCredential,
    TooManyConnections,
    TooManyFailedLogins,
    TooManyRequests,
    Unauthorized,
    WrongCredentialKind,
)
from api.http.models import Omittable, ResponseBody
from api.openapi.examples import PAYMENT_IN_DOUBT
from api.payments.errors import TerminalTimeout
from api.payments.models import Payment


class ErrorDetail(ResponseBody):
    """The error of an answer."""

    status: int = Field(description="The HTTP status.")
    code: str = Field(description="Stable name of the error.")
    message: Omittable[str] = None
    description: Omittable[str] = None
    details: dict[str, Any] | str = Field(
        {},
        description="For a wrong field its `path`; where a payment was asked for, `safe_to_retry`. For a 401 "
        "a text that names the case.",
    )
    request_id: Omittable[str] = Field(
        None,
        description="The answer's `X-Request-Id`; left out under `/v1/connector`.",
    )
    doc_url: Omittable[str] = Field(
        None, description="Page of this error on this server, relative to it; left out under `/v1/connector`."
    )


class Error(ResponseBody):
    """Every answer that is no success."""

    error: ErrorDetail
    payment: Omittable[Payment] = None


#: The errors of every route that requires a credential.
USUAL_ERRORS: Final[tuple[ApiError, ...]] = (
    Unauthorized("Incorrect credentials"),
    PublicCredential(),
    WrongCredentialKind(),
    MethodNotAllowed(),
    RequestTimeout(),
    TooManyRequests(),
    TooManyConnections(),
    TooManyFailedLogins(),
    HeadTooLarge(),
    UndefinedError(),
    DatabaseOutage(),
)
#: The errors of every route that takes a JSON body.
BODY_ERRORS: Final[tuple[ApiError, ...]] = (
    InvalidRequest("required", "should have required property 'name'", "name"),
    UnreadableBody(),
    MissingMediaType(),
    BodyTooLarge(),
    UnsupportedMediaType(),
    EncodedBody(),
)


def error_responses(*errors: ApiError) -> dict[int | str, dict[str, Any]]:
    """Return the responses of these errors by their status, with the usual errors of the same status."""
    statuses = {error.status for error in errors}
    usual = (error for error in USUAL_ERRORS if error.status in statuses and error not in errors)
    ordered = sorted((*usual, *errors), key=lambda error: error.status)
    found = ((status, list(same)) for status, same in groupby(ordered, key=lambda error: error.status))
    return {status: error_response(HTTPStatus(status).phrase, same) for status, same in found}


def error_response(description: str, errors: list[ApiError]) -> dict[str, Any]:
    examples = {error.code: error.body() for error in errors}
    if len(examples) < len(errors):
        examples = {str(error.details): error.body() for error in errors}
    if TerminalTimeout.code in examples:
        examples[TerminalTimeout.code]["payment"] = PAYMENT_IN_DOUBT
    headers = {name: string(f"e.g. `{value}`") for name, value in errors[0].headers.items()}
    return json_response(description, "Error", examples, headers)


def json_response(
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


def header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, **string(description)}


def string(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


def parameter(name: str, place: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    """Return a parameter; those of the path are required."""
    return {
        "name": name,
        "in": place,
        "required": place == "path",
        "description": description,
        "schema": schema,
    }


def json_body(schema: str, examples: dict[str, Any]) -> dict[str, Any]:
    """Return a required body of one of the components' schemas."""
    return {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": f"#/components/schemas/{schema}"},
                "examples": {name: {"value": value} for name, value in examples.items()},
            }
        },
    }


def published(schema: Any) -> Any:
    """Return a copy as it is published.

    Without what is only for our own refusals, and with `x-published`: rules that the code checks, not the
    schema. Without FastAPI's 422, titles that repeat names, and null as a default.
    """
    if isinstance(schema, dict):
        own = {name: published(part) for name, part in schema.items() if not _is_dropped(name, part)}
        return {**own, **schema.get("x-published", {})}
    return [published(part) for part in schema] if isinstance(schema, list) else schema


def _is_dropped(name: str, part: Any) -> bool:
    if name in ("422", "HTTPValidationError", "ValidationError") or name.startswith("x-"):
        return True
    return (name == "default" and part is None) or (name == "title" and isinstance(part, str))
