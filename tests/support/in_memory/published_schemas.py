"""Values checked against the schemas of the published document."""

from typing import Any

from jsonschema_rs import Draft202012Validator

from api.openapi.document import openapi_document


def schema_checker(schema: dict[str, Any]) -> Draft202012Validator:
    """Return the validator of a schema whose references lead into the document."""
    return Draft202012Validator({**schema, "components": openapi_document()["components"]})


def check(name: str, value: Any) -> None:
    """Check that the value fits this component."""
    schema_checker({"$ref": f"#/components/schemas/{name}"}).validate(value)


def check_examples(responses: dict[str, Any]) -> None:
    """Check that every example of every answer fits its schema."""
    for status, response in responses.items():
        for content in response.get("content", {}).values():
            checker = schema_checker(content["schema"])
            for name, example in content.get("examples", {}).items():
                assert checker.is_valid(example["value"]), (status, name)
