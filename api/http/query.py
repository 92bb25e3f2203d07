"""Parameters of a query: each known, given once, and of the right form; a misspelt filter is no filter."""

import re
from typing import Final, TypeVar

from fastapi import Request

from api.http.cursors import read_cursor, read_time
from api.http.errors import InvalidQuery
from api.openapi.components import QUERY_TEXT_CHARACTERS
from shared.storage.payments.listing import Place

_NUMBER: Final = re.compile(r"[0-9]{1,9}")

PAGE_DEFAULT: Final = 20
PAGE_LIMIT: Final = 100
#: Far more than any list has; taking a query apart costs as much as it has parameters.
PARAMETERS_AT_MOST: Final = 50

_Choice = TypeVar("_Choice")


class Query:
    """The query of one request. Raises InvalidQuery for what is unknown, given twice or ill-formed."""

    def __init__(self, request: Request, known: tuple[str, ...]) -> None:
        self._given: Final[dict[str, str]] = {}
        if request.scope["query_string"].count(b"&") >= PARAMETERS_AT_MOST:
            raise InvalidQuery("", f"The query should have at most {PARAMETERS_AT_MOST} parameters.")
        for name, value in request.query_params.multi_items():
            if name not in known:
                raise InvalidQuery(name, f"There is no such parameter; known are: {', '.join(known)}.")
            if name in self._given:
                raise InvalidQuery(name, "The parameter is given twice.")
            if "\0" in value or not value:
                raise InvalidQuery(name, "The parameter should not be empty or hold U+0000.")
            if len(value) > QUERY_TEXT_CHARACTERS:
                raise InvalidQuery(
                    name, f"The parameter should have at most {QUERY_TEXT_CHARACTERS} characters."
                )
            self._given[name] = value

    def text(self, name: str) -> str | None:
        return self._given.get(name)

    def number(self, name: str, default: int, *, least: int, most: int) -> int:
        value = self._given.get(name)
        if value is None:
            return default
        if _NUMBER.fullmatch(value) is None or not least <= int(value) <= most:
            raise InvalidQuery(name, f"The parameter should be a whole number from {least} to {most}.")
        return int(value)

    def page_limit(self) -> int:
        """`limit`: how many payments a page holds."""
        return self.number("limit", PAGE_DEFAULT, least=1, most=PAGE_LIMIT)

    def choice(self, name: str, choices: dict[str, _Choice]) -> _Choice | None:
        value = self._given.get(name)
        if value is None:
            return None
        if value not in choices:
            raise InvalidQuery(name, f"The parameter should be one of: {', '.join(choices)}.")
        return choices[value]

    def time(self, name: str) -> int | None:
        """Return milliseconds since 1970 UTC of an ISO 8601 time with its offset (`Z` or `+01:00`)."""
        value = self._given.get(name)
        if value is None:
            return None
        at = read_time(value)
        if at is None:
            raise InvalidQuery(name, "The parameter should be a time like 2026-03-05T12:06:58.123Z.")
        return at

    def place(self, name: str = "cursor") -> Place | None:
        """Return where a page begins: what an earlier page's `next` said."""
        value = self._given.get(name)
        if value is None:
            return None
        place = read_cursor(value)
        if place is None:
            raise InvalidQuery(name, "The parameter should be what an earlier page named as `next`.")
        return place
