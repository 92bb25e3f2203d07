"""The building blocks of the OpenAPI document: answers, errors, parameters."""

from typing import Any, Final

from api.http.errors import ApiError, TerminalTimeout
from api.openapi.examples import PAYMENT_IN_DOUBT

#: The longest value of a query's parameter.
QUERY_TEXT_CHARACTERS: Final = 255
#: What a filter is compared with.
QUERY_TEXT: Final[dict[str, Any]] = {
    "type": "string",
    "minLength": 1,
    "maxLength": QUERY_TEXT_CHARACTERS,
    "pattern": "^[^\\u0000]*$",
}
#: A place that an earlier answer named; what else is in it is nobody's business.
QUERY_PLACE: Final[dict[str, Any]] = {**QUERY_TEXT, "pattern": "^[A-Za-z0-9_-]*$"}


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
    schema.
    """
    if isinstance(schema, dict):
        own = {name: published(part) for name, part in schema.items() if not name.startswith("x-")}
        return {**own, **schema.get("x-published", {})}
    return [published(part) for part in schema] if isinstance(schema, list) else schema
