"""The published JSON Schema of the order request, shown in the document, and the checker of requests.

The order of `properties` is the order in which errors are shown. Unknown fields are allowed everywhere.
`x-refused` maps a keyword to the sentence that the client reads where the keyword alone explains too little;
`x-published` holds rules that `request.py` checks, for the document.

The checker stops at the first violation in the order of the schema: a body of 80,000 empty items has 560,000
of them. A valid part costs one call of the library; an invalid one is searched for its first violation, part
by part.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Self

from jsonschema_rs import Draft7Validator

from api.http.errors import InvalidRequest
from api.http.json_text import without_surrogates

Schema = dict[str, Any]
#: Names and array positions that lead to a value.
ValuePath = tuple[str | int, ...]

# In the wording of Ajv 6, which the hosted service uses, and in its order: a value's type, the rules of that
# type, then `enum`. A missing property is a violation of that property: Ajv looks for each in its turn.
_MESSAGES: Final[dict[str, Callable[[Any], str]]] = {
    "required": lambda name: f"should have required property '{name}'",
    "type": lambda name: f"should be {name}",
    "maximum": lambda limit: f"should be <= {limit}",
    "minimum": lambda limit: f"should be >= {limit}",
    "exclusiveMinimum": lambda limit: f"should be > {limit}",
    "maxLength": lambda limit: f"should NOT be longer than {limit} characters",
    "minLength": lambda limit: f"should NOT be shorter than {limit} characters",
    "pattern": lambda pattern: f'should match pattern "{pattern}"',
    "format": lambda name: f'should match format "{name}"',
    "maxItems": lambda limit: f"should NOT have more than {limit} items",
    "enum": lambda _: "should be equal to one of the allowed values",
    "not": lambda _: "should NOT be valid",
    "additionalProperties": lambda _: "should NOT have additional properties",
}
_RANKS: Final = {keyword: rank for rank, keyword in enumerate(_MESSAGES)}


def message_for(keyword: str, value: Any) -> str:
    """Return Ajv's message for a keyword and its value in the schema."""
    return _MESSAGES[keyword](value)


#: The keywords that the schema may use.
WORDED_KEYWORDS: Final = frozenset(_MESSAGES)


@dataclass(frozen=True, slots=True)
class SchemaViolation:
    """One violation of the schema by the value at `path`."""

    path: ValuePath
    keyword: str
    message: str
    description: str | None = None

    @classmethod
    def missing(cls, *path: str | int) -> Self:
        return cls(path, "required", _MESSAGES["required"](path[-1]))

    @classmethod
    def unknown(cls, *path: str | int) -> Self:
        return cls(path, "additionalProperties", _MESSAGES["additionalProperties"](path[-1]))

    @classmethod
    def misformatted(cls, path: ValuePath, name: str, description: str) -> Self:
        return cls(path, "format", _MESSAGES["format"](name), description)

    @classmethod
    def broken(cls, path: ValuePath, keyword: str, schema: Schema) -> Self:
        """Return the violation of a keyword of its schema by the value at `path`."""
        return cls(
            path,
            keyword,
            _MESSAGES[keyword](schema[keyword]),
            schema.get("x-refused", {}).get(keyword),
        )

    @property
    def rank(self) -> int:
        """Position among the violations of one value."""
        return _RANKS[self.keyword]

    def position(self, schema: Schema) -> tuple[tuple[int, ...], int]:
        """Return the position in the order of the schema, items of an array one after the other."""
        places: list[int] = []
        for step in self.path:
            if isinstance(step, int):
                places.append(step)
                schema = schema["items"]
                continue
            properties = schema["properties"]
            if step not in properties:
                # Unknown: after all that are known.
                places.append(len(properties))
                break
            places.append(list(properties).index(step))
            schema = properties[step]
        return tuple(places), self.rank


def first_error(violations: Iterable[SchemaViolation], schema: Schema) -> InvalidRequest:
    """Return the error that is shown: the first in the order of the schema. Needs one violation at least."""
    first = min(violations, key=lambda violation: violation.position(schema))
    return InvalidRequest(first.keyword, first.message, dotted_path(first.path), first.description)


def dotted_path(path: Sequence[str | int]) -> str:
    """Return a path as errors name it, e.g. `order.basket[0].name`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


#: The port of a terminal where a request names none.
DEFAULT_PORT: Final = 8888

_FILE: Final = Path(__file__).with_name("order.schema.json")


@cache
def order_schema() -> dict[str, Any]:
    """Return the schema; it is shared, do not change it."""
    schema: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    return schema


#: Keywords about the parts of a value; each part is checked by itself.
_OF_PARTS: Final = frozenset({"properties", "items", "required", "additionalProperties"})


class Checker:
    """One schema with all of its parts; made once."""

    def __init__(self, schema: Schema) -> None:
        own = {keyword: value for keyword, value in schema.items() if keyword not in _OF_PARTS}
        self._schema: Final = schema
        self._whole: Final = Draft7Validator(schema)
        self._own: Final = Draft7Validator(own)
        self._required: Final = frozenset(schema.get("required", ()))
        self._properties: Final = {name: Checker(part) for name, part in schema.get("properties", {}).items()}
        self._items: Final = Checker(schema["items"]) if "items" in schema else None
        self._is_closed: Final = schema.get("additionalProperties") is False

    def first_violation(self, value: Any) -> SchemaViolation | None:
        """Return the first violation in the order of the schema, None for a valid value."""
        try:
            return self._first(value, ())
        except UnicodeEncodeError:
            # The library cannot read a lone surrogate in a checked text.
            return self._first(without_surrogates(value), ())

    def _first(self, value: Any, path: ValuePath) -> SchemaViolation | None:
        if self._whole.is_valid(value):
            return None
        own = min(self._own_violations(value, path), key=lambda violation: violation.rank, default=None)
        if own is not None:
            return own
        return next((found for found in self._of_parts(value, path) if found is not None), None)

    def _own_violations(self, value: Any, path: ValuePath) -> Iterator[SchemaViolation]:
        for error in self._own.iter_errors(value):
            yield SchemaViolation.broken(path, error.kind.name, self._schema)

    def _of_parts(self, value: Any, path: ValuePath) -> Iterator[SchemaViolation | None]:
        if isinstance(value, list) and self._items is not None:
            for place, item in enumerate(value):
                yield self._items._first(item, (*path, place))
        if not isinstance(value, dict):
            return
        for name, part in self._properties.items():
            if name in value:
                yield part._first(value[name], (*path, name))
            elif name in self._required:
                yield SchemaViolation.missing(*path, name)
        if self._is_closed:
            # One that is misspelt would change too much.
            yield next(
                (SchemaViolation.unknown(*path, name) for name in value if name not in self._properties), None
            )
