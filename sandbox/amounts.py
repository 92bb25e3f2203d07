"""Amounts as people type them. Pure."""

from decimal import Decimal
from typing import Final

LARGEST_AMOUNT_CENTS: Final = 99_999_999


class NoAmount(ValueError):
    """Raised for text that is no amount; the message is for whoever typed it."""


def cents_of(text: str) -> int:
    """Return the cents of `12.50` or `12,50`, above zero. Raises NoAmount."""
    try:
        cents = Decimal(text.strip().replace(",", ".")) * 100
        if cents.is_finite() and cents == cents.to_integral_value() and 0 < cents <= LARGEST_AMOUNT_CENTS:
            return int(cents)
    except ArithmeticError:
        # No number at all, or an exponent beyond what can be reckoned with.
        pass
    raise NoAmount("Type an amount with at most two decimals, for example 12.50.")
