"""Parameters of a query, and the cursor that goes out and comes back."""

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from api.http.errors import InvalidQuery
from api.http.query import Query, cursor
from shared.runtime.ids import PAYMENT_ID
from shared.storage.payments.listing import Place


def query(text: str) -> Query:
    """Return the query of a request for everything that the tests name."""
    request = Request({"type": "http", "query_string": text.encode(), "headers": []})
    return Query(request, ("cursor", "limit", "at", "name"))


@given(st.integers(0, 10**14), st.from_regex(PAYMENT_ID, fullmatch=True))
def test_a_cursor_comes_back_as_the_place_it_names(created_at: int, payment_id: str) -> None:
    """Opaque for the client, in letters that need no quoting in an address."""
    place = Place(created_at, payment_id)
    text = cursor(place)

    assert text is not None
    assert query(f"cursor={text}").place() == place


@given(st.text(alphabet=st.characters(codec="ascii", exclude_characters="&=+%;#"), min_size=1))
def test_any_other_cursor_is_refused_or_a_place(text: str) -> None:
    """Never an error of ours."""
    try:
        place = query(f"cursor={text}").place()
    except InvalidQuery:
        return
    assert place is not None


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-03-05T12:06:58.123Z", 1772712418123),
        ("2026-03-05T13:06:58.123%2B01:00", 1772712418123),
        ("2026-03-05T12:06:58.123999Z", 1772712418123),
    ],
)
def test_times_are_read_with_their_offset(text: str, milliseconds: int) -> None:
    """To the millisecond, as the payment object shows them."""
    assert query(f"at={text}").time("at") == milliseconds


@pytest.mark.parametrize("text", ["2026-03-05T12:06:58", "2026-03-05", "now", "1"])
def test_a_time_without_its_offset_is_refused(text: str) -> None:
    """Nobody's local time is meant."""
    with pytest.raises(InvalidQuery):
        query(f"at={text}").time("at")


@pytest.mark.parametrize("text", ["limits=1", "limit=1&limit=2", "limit=", "name=a%00b"])
def test_what_is_unknown_doubled_or_empty_is_refused(text: str) -> None:
    """400 names it."""
    with pytest.raises(InvalidQuery) as refused:
        query(text)
    assert refused.value.details == {"parameter": text.partition("=")[0]}


@pytest.mark.parametrize(("text", "limit"), [("", 20), ("limit=1", 1), ("limit=100", 100)])
def test_a_page_has_1_to_100_payments(text: str, limit: int) -> None:
    """20 unless said otherwise."""
    assert query(text).page_limit() == limit


@pytest.mark.parametrize("text", ["limit=0", "limit=101", "limit=x", "limit=-1", "limit=٣"])
def test_another_limit_is_refused(text: str) -> None:
    """Not quietly cut."""
    with pytest.raises(InvalidQuery):
        query(text).page_limit()
