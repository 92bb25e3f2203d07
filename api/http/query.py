"""Readers of a query, whose every parameter is known and given once, and of Idempotency-Key and Prefer."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi import Query as QueryParameter
from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from api.http.errors import InvalidHeader, InvalidQuery
from api.http.models import NOT_NUL, Omittable
from shared.storage.payments.listing import Place

_NUMBER: Final = re.compile(r"[0-9]{1,9}")

PAGE_DEFAULT: Final = 20
PAGE_LIMIT: Final = 100
#: The longest value of a parameter.
QUERY_TEXT_CHARACTERS: Final = 255
#: Far more than any list has; parsing a query costs as much as it has parameters.
PARAMETERS_AT_MOST: Final = 50

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PLACE: Final = re.compile(r"([0-9]{1,15})\.([A-Za-z0-9_]{1,64})")


def read_time(text: str) -> int | None:
    """Return milliseconds since 1970 UTC of an ISO 8601 time with its offset; None for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def cursor(place: Place | None) -> str | None:
    """Return the opaque text of a page's end, which `read_cursor` reads; None where there is none."""
    if place is None:
        return None
    return base64.urlsafe_b64encode(f"{place.created_at}.{place.id}".encode()).rstrip(b"=").decode()


def read_cursor(text: str) -> Place | None:
    """Return the place that `cursor` wrote; None for any other text."""
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    match = _PLACE.fullmatch(plain)
    return None if match is None else Place(int(match[1]), match[2])


def check_query(request: Request, known: tuple[str, ...]) -> dict[str, str]:
    """Return the parameters; raise InvalidQuery for one that is unknown, given twice, empty or too long."""
    given: dict[str, str] = {}
    if request.scope["query_string"].count(b"&") >= PARAMETERS_AT_MOST:
        raise InvalidQuery("", f"The query should have at most {PARAMETERS_AT_MOST} parameters.")
    for name, value in request.query_params.multi_items():
        if name not in known:
            raise InvalidQuery(name, f"There is no such parameter; known are: {', '.join(known)}.")
        if name in given:
            raise InvalidQuery(name, "The parameter is given twice.")
        if "\0" in value or not value:
            raise InvalidQuery(name, "The parameter should not be empty or hold U+0000.")
        if len(value) > QUERY_TEXT_CHARACTERS:
            raise InvalidQuery(name, f"The parameter should have at most {QUERY_TEXT_CHARACTERS} characters.")
        given[name] = value
    return given


def _digits(given: Any) -> Any:
    """Refuse what int() reads besides digits: signs, blanks, underscores, digits of other scripts."""
    if isinstance(given, str) and _NUMBER.fullmatch(given) is None:
        raise PydanticCustomError("whole_number", "Input should be a whole number")
    return given


def _milliseconds(given: Any) -> Any:
    at = read_time(given) if isinstance(given, str) else None
    if at is None:
        raise PydanticCustomError("time", "Input should be a time like 2026-03-05T12:06:58.123Z")
    return at


#: Makes a parameter a whole number: `Annotated[int, QueryParameter(ge=0), DIGITS]`.
DIGITS: Final = BeforeValidator(_digits)
#: A filter's text; None: not given.
Text = Omittable[Annotated[str, Field(min_length=1, max_length=QUERY_TEXT_CHARACTERS, pattern=NOT_NUL)]]
#: A time with its offset, as milliseconds since 1970 UTC; None: not given.
TimeParameter = Annotated[
    Omittable[int],
    BeforeValidator(_milliseconds),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Limit = Annotated[
    int, QueryParameter(ge=1, le=PAGE_LIMIT, description="The number of items on a page."), DIGITS
]
CursorText = Omittable[
    Annotated[str, Field(min_length=1, max_length=QUERY_TEXT_CHARACTERS, pattern="^[A-Za-z0-9_-]*$")]
]
Cursor = Annotated[CursorText, QueryParameter(description="The start of the page: an earlier page's `next`.")]


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The page that a client asks for; it starts after `after`."""

    after: Place | None
    limit: int


async def _page(limit: Limit = PAGE_DEFAULT, cursor: Cursor = None) -> PageRequest:
    after = None if cursor is None else read_cursor(cursor)
    if cursor is not None and after is None:
        raise InvalidQuery("cursor", "The parameter should be an earlier page's `next`.")
    return PageRequest(after, limit)


#: The parameters `limit` and `cursor` of a list that is ordered by time.
Page = Annotated[PageRequest, Depends(_page)]


_IDEMPOTENCY_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_WAIT: Final = re.compile(r"[0-9]{1,9}")


def read_idempotency_key(headers: Sequence[str]) -> str | None:
    """Return the `Idempotency-Key`, 1 to 255 printable ASCII characters without blanks; None without one.

    Raises InvalidHeader, also for more than one: either could be the operation's name.
    """
    if not headers:
        return None
    if len(headers) > 1:
        raise InvalidHeader("Idempotency-Key should be sent once.")
    (header,) = headers
    if _IDEMPOTENCY_KEY.fullmatch(header) is None:
        raise InvalidHeader("Idempotency-Key should be 1 to 255 printable ASCII characters without blanks.")
    return header


@dataclass(frozen=True, slots=True)
class Preference:
    """The `Prefer` header, RFC 7240: how long the client waits, or that it does not wait for the result."""

    respond_async: bool = False
    #: None: as long as it takes, up to our own limit.
    wait_seconds: int | None = None


NO_PREFERENCE: Final = Preference()


def read_preference(headers: Sequence[str]) -> Preference:
    """Return the preference of the `Prefer` headers; unknown preferences are ignored.

    Raises InvalidHeader for a `wait` that is no whole number of seconds.
    """
    respond_async, wait_seconds = False, None
    for preference in ",".join(headers).split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        match name.strip().lower():
            case "respond-async":
                respond_async = True
            case "wait" if wait_seconds is None:  # of several, the first one is meant
                wait_seconds = _read_wait(value.strip().strip('"'))
    return Preference(respond_async, wait_seconds)


def _read_wait(value: str) -> int:
    if _WAIT.fullmatch(value) is None:
        raise InvalidHeader("Prefer: wait should be a whole number of seconds.")
    return int(value)
