"""The published JSON Schema of the order request, shown in the document, and the checker of requests.

The order of `properties` is the order in which errors are shown. Unknown fields are allowed everywhere.
`x-refused` maps a keyword to the sentence that the client reads where the keyword alone explains too little;
`x-published` holds rules that `request.py` checks, for the document.

The checker stops at the first violation in the order of the schema: a body of 80,000 empty items has 560,000
of them. A valid part costs one call of the library; an invalid one is searched for its first violation, part
by part.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from jsonschema_rs import Draft7Validator

from api.connector.messages import Path as SchemaPath
from api.connector.messages import Schema, SchemaViolation
from api.http.json_text import without_surrogates

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

    def _first(self, value: Any, path: SchemaPath) -> SchemaViolation | None:
        if self._whole.is_valid(value):
            return None
        own = min(self._own_violations(value, path), key=lambda violation: violation.rank, default=None)
        if own is not None:
            return own
        return next((found for found in self._of_parts(value, path) if found is not None), None)

    def _own_violations(self, value: Any, path: SchemaPath) -> Iterator[SchemaViolation]:
        for error in self._own.iter_errors(value):
            yield SchemaViolation.broken(path, error.kind.name, self._schema)

    def _of_parts(self, value: Any, path: SchemaPath) -> Iterator[SchemaViolation | None]:
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
