"""Comparison of the basket's totals; one that does not fit is reported, never refused."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

ITEM_TOTAL_MISMATCH: Final = "basket_item_total_mismatch"
BASKET_TOTAL_MISMATCH: Final = "basket_total_mismatch"

_TOLERANCE_CENTS: Final = 1


def basket_warnings(basket: Sequence[dict[str, Any]], amount_cents: int) -> tuple[str, ...]:
    """Return the warnings for a checked basket, whose numbers are in euros, and the order's amount in cents.

    The two published files disagree on the sign of the discount: a total that fits with either sign fits.
    """
    if not basket:
        return ()
    warnings = []
    if not all(_item_fits(item) for item in basket):
        warnings.append(ITEM_TOTAL_MISMATCH)
    if not _basket_fits(basket, amount_cents):
        warnings.append(BASKET_TOTAL_MISMATCH)
    return tuple(warnings)


def _item_fits(item: dict[str, Any]) -> bool:
    price = item["quantity"] * _cents(item["unit_price"])
    discount = _cents(item.get("discount", 0))
    total = _cents(item["total_amount"])
    return _near(price + discount, total) or _near(price - discount, total)


def _basket_fits(basket: Sequence[dict[str, Any]], amount_cents: int) -> bool:
    sold = sum(_cents(item["total_amount"]) for item in basket if item["type"] != "discount")
    taken_off = sum(_cents(item["total_amount"]) for item in basket if item["type"] == "discount")
    amount = Decimal(amount_cents)
    return _near(sold + taken_off, amount) or _near(sold - taken_off, amount)


def _cents(euros: float) -> Decimal:
    # By way of its text: 8.99 as a float is a little more than 8.99.
    return Decimal(str(euros)) * 100


def _near(one: Decimal | int, other: Decimal) -> bool:
    return abs(one - other) <= _TOLERANCE_CENTS
