"""Amounts and times as pages write them."""

from sandbox.pages.formats import clock_time, day, money, price, when, when_exactly

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
