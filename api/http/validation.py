"""Translation of pydantic's errors into the contract's: keyword, message, the field's path, and what came."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from api.connector.schema import dotted_path, message_for
from api.http.errors import ApiError, InvalidQuery, InvalidRequest, NotFound, UnreadableBody

#: By pydantic's type of error: the contract's keyword, and the name of the bound in its context.
_KEYWORDS: Final[dict[str, tuple[str, str]]] = {
    "missing": ("required", ""),
    "extra_forbidden": ("additionalProperties", ""),
    "enum": ("enum", "expected"),
    "literal_error": ("enum", "expected"),
    "greater_than": ("exclusiveMinimum", "gt"),
    "greater_than_equal": ("minimum", "ge"),
    "less_than_equal": ("maximum", "le"),
    "string_too_long": ("maxLength", "max_length"),
    "string_too_short": ("minLength", "min_length"),
    "string_pattern_mismatch": ("pattern", "pattern"),
    "too_long": ("maxItems", "max_length"),
}
#: By the start of pydantic's type of error.
_TYPES: Final[dict[str, str]] = {
    "model": "object",
    "dict": "object",
    "list": "array",
    "string": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
}
_LONGEST_SHOWN_NUMBER: Final = 12


def first_validation_error(errors: Sequence[Mapping[str, Any]]) -> ApiError:
    """Return the contract's error for the first of pydantic's errors."""
    error = errors[0]
    place, *path = error["loc"]
    if place == "query":
        return InvalidQuery(str(path[0]), _query_text(error))
    if place == "path":
        return NotFound()
    if not path and error["type"] == "missing":
        return UnreadableBody("The request has no body.")
    return _invalid_request(error)


def field_errors(errors: Sequence[Mapping[str, Any]]) -> list[InvalidRequest]:
    """Return the contract's errors for all of pydantic's errors of a model."""
    return [_invalid_request({**error, "loc": ("body", *error["loc"])}) for error in errors]


def _invalid_request(error: Mapping[str, Any]) -> InvalidRequest:
    keyword, message, description = _worded(error)
    where = dotted_path(error["loc"][1:])
    return InvalidRequest(keyword, message, where, description or f"{where or 'the body'} {message}")


def _worded(error: Mapping[str, Any]) -> tuple[str, str, str | None]:
    """Return the keyword, Ajv's message, and a description where pydantic's validator gave its own."""
    kind, context = error["type"], error.get("ctx", {})
    if kind in _KEYWORDS:
        keyword, bound = _KEYWORDS[kind]
        message = message_for(keyword, context.get(bound, error["loc"][-1]))
        if keyword in ("required", "additionalProperties"):
            return keyword, message, message
        if keyword == "enum":
            return keyword, message, f"{dotted_path(error['loc'][1:])} should be one of {context['expected']}"
        return keyword, message, f"{dotted_path(error['loc'][1:])} {message}; {_what_came(error['input'])}"
    expected = _TYPES.get(kind.partition("_")[0])
    if kind == "string_unicode":
        return "pattern", "should NOT contain a lone surrogate", None
    if expected is not None and kind.endswith(("_type", "_from_float", "_parsing")):
        message = message_for("type", expected)
        where = dotted_path(error["loc"][1:]) or "the body"
        return "type", message, f"{where} {message}; {_what_came(error['input'])}"
    # A validator of ours: its type is the keyword.
    return kind, error["msg"], None


def _what_came(given: Any) -> str:
    """Name the kind and the size of a value; its text may be a card number."""
    match given:
        case None | bool():
            return f"it is {'null' if given is None else str(given).lower()}"
        case str():
            return f"it is a string of {len(given)} characters"
        case int() | float():
            shown = str(given) if abs(given) < 10**_LONGEST_SHOWN_NUMBER else ""
            return (
                f"it is the number {shown}" if 0 < len(shown) <= _LONGEST_SHOWN_NUMBER else "it is a number"
            )
        case list():
            return f"it is an array of {len(given)} items"
        case _:
            return "it is an object"


def _query_text(error: Mapping[str, Any]) -> str:
    if error["type"] in ("enum", "literal_error"):
        choices = error["ctx"]["expected"].replace("'", "").replace(" or ", ", ")
        return f"The parameter should be one of: {choices}."
    text: str = error["msg"]
    return text.replace("Input should", "The parameter should").removesuffix(".") + "."
