"""Base classes and field types of the API's pydantic models."""

from collections.abc import Iterable
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

#: Text that both databases can store.
NOT_NUL: Final = r"^[^\u0000]*$"

Value = TypeVar("Value")


class RequestBody(BaseModel):
    """A JSON object that a client sends: each name is known, each value is of its own type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _keep_one_unknown_name(cls, given: Any) -> Any:
        """Leave one unknown name in: a body may have thousands, and each costs an error."""
        if not isinstance(given, dict):
            return given
        known = {field.alias or name for name, field in cls.model_fields.items()}
        unknown = [name for name in given if name not in known]
        return {name: value for name, value in given.items() if name in known or name == unknown[0]}


class ResponseBody(BaseModel):
    """A JSON object that the API answers with; fields that were never set are left out."""

    model_config = ConfigDict(frozen=True)

    def shown(self) -> dict[str, Any]:
        """Return the object as JSON values."""
        return self.model_dump(mode="json", exclude_unset=True)


def known(**fields: Any) -> dict[str, Any]:
    """Return the fields that are not None: what is not known is left out of an answer."""
    return {name: value for name, value in fields.items() if value is not None}


class _NeverNull:
    """A marker of fields that may be left out and are never null."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_refuse_null, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        made = handler(schema)
        (choice,) = (choice for choice in made["anyOf"] if choice != {"type": "null"})
        return {**made, **choice} if made.pop("anyOf") else made


def _refuse_null(given: Any) -> Any:
    if given is None:
        raise PydanticCustomError("type", "should be left out or have a value")
    return given


def _whole(given: Any) -> Any:
    return int(given) if isinstance(given, float) and given.is_integer() else given


#: A field that may be left out (`field: Omittable[str] = None`); null is refused.
Omittable = Annotated[Value | None, _NeverNull()]


class OneOf:
    """A marker of texts that are one of these: `Annotated[str, OneOf(("a", "b"))]`."""

    def __init__(self, values: Iterable[str]) -> None:
        self._values: Final = list(values)

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> CoreSchema:
        return core_schema.literal_schema(self._values)


#: A member of an enumeration, by its value.
Choice = Annotated[Value, Field(strict=False)]
#: Reads 100.0 as 100, as JSON Schema does: `Annotated[int, Field(ge=1), WHOLE]`.
WHOLE: Final = BeforeValidator(_whole)
#: A time as the API writes it.
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
