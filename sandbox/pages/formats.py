"""Amounts and times as pages write and read them. Times are UTC. Pure."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

_NO_BREAK_SPACE: Final = "\u00a0"
_DASH: Final = "\u2013"


def money(amount_cents: int | None, currency: str = "EUR", *, decimal_mark: str = ".") -> str:
    """Return `1 234.50 EUR` with a no-break space between thousands; a dash for None."""
    if amount_cents is None:
        return _DASH
    number = decimal_text(amount_cents, ",").replace(",", _NO_BREAK_SPACE).replace(".", decimal_mark)
    return f"{number}{_NO_BREAK_SPACE}{currency}"


def decimal_text(amount_cents: int, thousands: str = "") -> str:
    """Return the amount as decimal text, `15.00`."""
    return f"{Decimal(amount_cents) / 100:{thousands}.2f}"


def price(number: object) -> str:
    """Return a number of a basket with two decimals, `12.50`; other things as text, a dash for None."""
    if number is None:
        return _DASH
    is_number = isinstance(number, int | float) and not isinstance(number, bool)
    return f"{number:.2f}" if is_number else str(number)


def when(at_ms: int | None) -> str:
    """Return `2026-03-05 12:06:58`; a dash for None."""
    return _DASH if at_ms is None else f"{_moment(at_ms):%Y-%m-%d %H:%M:%S}"


def when_exactly(at_ms: int | None) -> str:
    """Return `2026-03-05T12:06:58.123Z`; empty for None."""
    if at_ms is None:
        return ""
    return _moment(at_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock_time(at_ms: int) -> str:
    """Return `12:06:58.123`."""
    return f"{_moment(at_ms):%H:%M:%S}.{at_ms % 1000:03d}"


def day(at_ms: int) -> str:
    """Return `2026-03-05`."""
    return f"{_moment(at_ms):%Y-%m-%d}"


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


LARGEST_AMOUNT_CENTS: Final = 99_999_999


class NoAmount(ValueError):
    """Raised for text that is no amount; the message is shown to the user."""


def cents_of(text: str) -> int:
    """Return the cents of `12.50` or `12,50`, above zero. Raises NoAmount."""
    try:
        cents = Decimal(text.strip().replace(",", ".")) * 100
        if cents.is_finite() and cents == cents.to_integral_value() and 0 < cents <= LARGEST_AMOUNT_CENTS:
            return int(cents)
    except ArithmeticError:
        # No number, or an exponent out of range.
        pass
    raise NoAmount("Type an amount with at most two decimals, for example 12.50.")
