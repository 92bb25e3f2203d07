"""Messages of schema violations in the wording of Ajv 6, which the hosted service uses."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from api.http.errors import InvalidRequest

Schema = dict[str, Any]
#: Names and array positions that lead to a value.
Path = tuple[str | int, ...]

# In the order in which Ajv shows them: a value's type, the rules of that type, then `enum`. A missing
# property is a violation of that property: Ajv looks for each in its turn.
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

    path: Path
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
    def misformatted(cls, path: Path, name: str, description: str) -> Self:
        return cls(path, "format", _MESSAGES["format"](name), description)

    @classmethod
    def broken(cls, path: Path, keyword: str, schema: Schema) -> Self:
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
