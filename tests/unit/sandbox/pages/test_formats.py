"""Amounts and times as pages write and read them."""

import pytest

from sandbox.pages.formats import NoAmount, cents_of, clock_time, day, money, price, when, when_exactly

_AT_MS = 1_772_712_418_123


def test_amounts_have_two_decimals_and_spaces_that_do_not_break() -> None:
    """Cents are never lost, thousands are set apart."""
    assert money(123_456_701) == "1\u00a0234\u00a0567.01\u00a0EUR"
    assert money(5) == "0.05\u00a0EUR"
    assert money(-250, "USD") == "-2.50\u00a0USD"
    assert money(None) == "\u2013"
    assert [price(number) for number in (1.5, 2, None, "x", True)] == ["1.50", "2.00", "\u2013", "x", "True"]


def test_times_are_utc() -> None:
    """To the second, to the millisecond, of day, and the day."""
    assert when(_AT_MS) == "2026-03-05 12:06:58"
    assert when_exactly(_AT_MS) == "2026-03-05T12:06:58.123Z"
    assert clock_time(_AT_MS) == "12:06:58.123"
    assert day(_AT_MS) == "2026-03-05"
    assert (when(None), when_exactly(None)) == ("\u2013", "")


@pytest.mark.parametrize(
    ("text", "cents"), [("12.50", 1250), (" 12,5 ", 1250), ("3", 300), ("999999.99", 99_999_999)]
)
def test_a_typed_amount_is_read_in_cents(text: str, cents: int) -> None:
    """With a point or a comma, with or without decimals."""
    assert cents_of(text) == cents


@pytest.mark.parametrize(
    "text",
    ["", "abc", "0", "-1", "1.234", "NaN", "sNaN", "Infinity", "1e30", "1e999999", "1e-999999", "1000000"],
)
def test_a_text_that_is_no_amount_is_an_error(text: str) -> None:
    """Also a number out of range."""
    with pytest.raises(NoAmount):
        cents_of(text)
