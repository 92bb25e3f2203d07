"""Defaults of a schema, applied to a request before it is checked."""

from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Defaults:
    """Defaults of one object of the schema, and its integers, which are written as such (100.0 is 100).

    A missing object is never made, so that its required fields stay missing. `null` is no missing value.
    """

    defaults: tuple[tuple[str, Any], ...]
    integers: tuple[str, ...]
    objects: tuple[tuple[str, Self], ...]
    arrays: tuple[tuple[str, Self], ...]

    @classmethod
    def of(cls, schema: dict[str, Any]) -> Self:
        properties: dict[str, dict[str, Any]] = schema.get("properties", {})
        children = ((name, cls.of(part)) for name, part in properties.items() if "properties" in part)
        items = ((name, cls.of(part["items"])) for name, part in properties.items() if "items" in part)
        return cls(
            defaults=tuple((name, part["default"]) for name, part in properties.items() if "default" in part),
            integers=tuple(name for name, part in properties.items() if part.get("type") == "integer"),
            objects=tuple((name, child) for name, child in children if not child.is_empty),
            arrays=tuple((name, child) for name, child in items if not child.is_empty),
        )

    @property
    def is_empty(self) -> bool:
        return not (self.defaults or self.integers or self.objects or self.arrays)

    def apply(self, value: object) -> None:
        """Change `value`, a tree as the JSON reader makes it, in place; other values than objects stay."""
        if not isinstance(value, dict):
            return
        for name, default in self.defaults:
            if name not in value:
                value[name] = default
        for name in self.integers:
            number = value.get(name)
            if isinstance(number, float) and number.is_integer():
                value[name] = int(number)
        for name, child in self.objects:
            child.apply(value.get(name))
        for name, child in self.arrays:
            items = value.get(name)
            if isinstance(items, list):
                for item in items:
                    child.apply(item)
