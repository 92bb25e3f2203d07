"""The building blocks of the OpenAPI document: answers, errors, parameters."""

from typing import Any

from api.contract.errors import ApiError, TerminalTimeout
from api.contract.examples import PAYMENT_IN_DOUBT


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


def without_extensions(schema: Any) -> Any:
    """Return a copy without what is only for our own refusals and no part of the published description."""
    if isinstance(schema, dict):
        return {name: without_extensions(part) for name, part in schema.items() if not name.startswith("x-")}
    return [without_extensions(part) for part in schema] if isinstance(schema, list) else schema
