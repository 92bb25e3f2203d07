"""Bodies checked by pydantic, answered in the contract's form: keyword, message, path."""

import time
from typing import Annotated, Any

import pytest
from pydantic import Field, ValidationError

from api.http.errors import InvalidQuery, InvalidRequest, NotFound, UnreadableBody
from api.http.models import NOT_NUL, WHOLE, Choice, Omittable, RequestBody
from api.http.validation import first_validation_error
from shared.payment.states import State


class Part(RequestBody):
    """A part of a body."""

    name: str = Field(max_length=3, pattern=NOT_NUL)


class Body(RequestBody):
    """A body with a field of each kind."""

    state: Choice[State] = State.QUEUED
    amount: Omittable[Annotated[int, Field(ge=1, le=9), WHOLE]] = None
    text: Omittable[Annotated[str, Field(min_length=2, max_length=3)]] = None
    parts: Omittable[Annotated[list[Part], Field(max_length=2)]] = None


def refused(given: Any) -> InvalidRequest:
    """Return the error of a body."""
    with pytest.raises(ValidationError) as failed:
        Body.model_validate(given)
    errors = [{**error, "loc": ("body", *error["loc"])} for error in failed.value.errors()]
    error = first_validation_error(errors)
    assert isinstance(error, InvalidRequest)
    return error


@pytest.mark.parametrize(
    ("given", "keyword", "message", "path"),
    [
        ({"amount": 0}, "minimum", "should be >= 1", "amount"),
        ({"amount": 10}, "maximum", "should be <= 9", "amount"),
        ({"amount": 1.5}, "type", "should be integer", "amount"),
        ({"amount": True}, "type", "should be integer", "amount"),
        ({"amount": "1"}, "type", "should be integer", "amount"),
        ({"amount": None}, "type", "should be left out or have a value", "amount"),
        ({"state": "paid"}, "enum", "should be equal to one of the allowed values", "state"),
        ({"text": "a"}, "minLength", "should NOT be shorter than 2 characters", "text"),
        ({"text": "abcd"}, "maxLength", "should NOT be longer than 3 characters", "text"),
        ({"text": "a\ud800"}, "pattern", "should NOT contain a lone surrogate", "text"),
        ({"parts": {}}, "type", "should be array", "parts"),
        ({"parts": [{"name": "a"}] * 3}, "maxItems", "should NOT have more than 2 items", "parts"),
        ({"parts": [{"name": "a"}, {}]}, "required", "should have required property 'name'", "parts[1].name"),
        ({"parts": [{"name": "\0"}]}, "pattern", f'should match pattern "{NOT_NUL}"', "parts[0].name"),
        ({"parts": [[]]}, "type", "should be object", "parts[0]"),
        ({"more": 1}, "additionalProperties", "should NOT have additional properties", "more"),
        ([], "type", "should be object", ""),
    ],
)
def test_a_violation_is_answered_in_the_contracts_words(
    given: Any, keyword: str, message: str, path: str
) -> None:
    """The keyword is in the code; the path names the field."""
    error = refused(given)

    assert (error.code, error.message) == (f"{keyword}.openapi.requestValidation", message)
    assert error.details == ({"path": path} if path else {})


def test_a_text_that_came_is_not_repeated() -> None:
    """It may be a card number: its kind and its size are named."""
    error = refused({"amount": "4970101234567890"})

    assert error.description == "amount should be integer; it is a string of 16 characters"
    assert refused({"amount": 4970101234567890}).description == "amount should be <= 9; it is a number"
    assert refused({"amount": 12}).description == "amount should be <= 9; it is the number 12"


def test_a_whole_float_is_a_whole_number() -> None:
    """As in JSON Schema."""
    assert Body.model_validate({"amount": 5.0}).amount == 5


def test_thousands_of_unknown_names_cost_one_error() -> None:
    """Known names are checked first."""
    given = {f"name-{number}": number for number in range(20_000)}
    begun = time.process_time()

    error = refused(given)

    assert error.details == {"path": "name-0"}
    assert refused({**given, "amount": 0}).details == {"path": "amount"}
    assert time.process_time() - begun < 0.5


def test_a_validators_own_error_is_a_keyword_with_a_sentence() -> None:
    """Of a query it names the parameter, of a path nothing is there."""
    own = {"type": "format", "msg": "should be a time", "input": "x"}

    of_body = first_validation_error([{**own, "loc": ("body", "at")}])
    assert (of_body.code, of_body.message) == ("format.openapi.requestValidation", "should be a time")
    of_query = first_validation_error([{**own, "msg": "Input should be a time", "loc": ("query", "at")}])
    assert isinstance(of_query, InvalidQuery)
    assert of_query.description == "The parameter should be a time."
    assert isinstance(first_validation_error([{**own, "loc": ("path", "id")}]), NotFound)
    missing = {"type": "missing", "loc": ("body",), "msg": "", "input": None}
    assert isinstance(first_validation_error([missing]), UnreadableBody)
