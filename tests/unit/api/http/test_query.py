"""Parameters of a query, and the cursor that goes out and comes back."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from api.http.errors import InvalidQuery
from api.http.query import Limit, Page, TimeParameter, check_query, cursor, read_cursor
from shared.runtime.ids import PAYMENT_ID
from shared.storage.payments.listing import Place

LIMIT: TypeAdapter[int] = TypeAdapter(Limit)
TIME: TypeAdapter[Any] = TypeAdapter(TimeParameter)


def check(text: str) -> None:
    """Check the query of a request whose route has the parameters `limit` and `name`."""
    request = Request({"type": "http", "query_string": text.encode(), "headers": []})
    check_query(request, ("limit", "name"))


@given(st.integers(0, 10**14), st.from_regex(PAYMENT_ID, fullmatch=True))
def test_a_cursor_comes_back_as_the_place_it_names(created_at: int, payment_id: str) -> None:
    """Opaque for the client, in letters that need no quoting in an address."""
    place = Place(created_at, payment_id)
    text = cursor(place)

    assert text is not None
    assert read_cursor(text) == place


@given(st.text())
def test_any_other_cursor_is_refused_or_a_place(text: str) -> None:
    """Never an error of ours."""
    assert read_cursor(text) is None or cursor(read_cursor(text)) is not None


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-03-05T12:06:58.123Z", 1772712418123),
        ("2026-03-05T13:06:58.123+01:00", 1772712418123),
        ("2026-03-05T12:06:58.123999Z", 1772712418123),
    ],
)
def test_times_are_read_with_their_offset(text: str, milliseconds: int) -> None:
    """To the millisecond, as the payment object shows them."""
    assert TIME.validate_python(text) == milliseconds


@pytest.mark.parametrize("text", ["2026-03-05T12:06:58", "2026-03-05", "now", "1"])
def test_a_time_without_its_offset_is_refused(text: str) -> None:
    """Nobody's local time is meant."""
    with pytest.raises(ValidationError):
        TIME.validate_python(text)


@pytest.mark.parametrize("text", ["limits=1", "limit=1&limit=2", "limit=", "name=a%00b"])
def test_what_is_unknown_doubled_or_empty_is_refused(text: str) -> None:
    """400 names it."""
    with pytest.raises(InvalidQuery) as refused:
        check(text)
    assert refused.value.details == {"parameter": text.partition("=")[0]}


@pytest.mark.parametrize("text", ["0", "101", "x", "-1", "٣", " 1", "1_0"])
def test_another_limit_is_refused(text: str) -> None:
    """Not quietly cut."""
    with pytest.raises(ValidationError):
        LIMIT.validate_python(text)


@pytest.mark.parametrize(("text", "limit"), [("", 20), ("limit=1", 1), ("limit=100", 100)])
async def test_a_page_has_as_many_as_are_asked_for(text: str, limit: int) -> None:
    """20 unless said otherwise."""
    app = FastAPI()

    @app.get("/")
    async def show(page: Page) -> int:
        return page.limit

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await client.get(f"/?{text}")).json() == limit
