"""The basket's totals."""

from typing import Any

import pytest

from api.connector.request import BASKET_TOTAL_MISMATCH, ITEM_TOTAL_MISMATCH, basket_warnings


def _item(**fields: Any) -> dict[str, Any]:
    return {"type": "good", "quantity": 1, "unit_price": 8.99, "total_amount": 8.99, **fields}


@pytest.mark.parametrize(
    ("basket", "amount_cents", "warnings"),
    [
        ([], 100, ()),
        ([_item()], 899, ()),
        ([_item()], 900, ()),
        ([_item()], 901, (BASKET_TOTAL_MISMATCH,)),
        ([_item()], 100, (BASKET_TOTAL_MISMATCH,)),
        ([_item(quantity=3, unit_price=0.1, total_amount=0.3)] * 10, 300, ()),
        ([_item(quantity=2, total_amount=17.48, discount=-0.5)], 1748, ()),
        ([_item(quantity=2, total_amount=17.48, discount=0.5)], 1748, ()),
        ([_item(quantity=2, total_amount=18.48, discount=-0.5)], 1848, ()),
        ([_item(quantity=2, total_amount=17.0, discount=-0.5)], 1700, (ITEM_TOTAL_MISMATCH,)),
        ([_item(), _item(type="discount", unit_price=-1, total_amount=-1)], 799, ()),
        ([_item(), _item(type="discount", unit_price=1, total_amount=1)], 799, ()),
        ([_item(), _item(type="fee", unit_price=1, total_amount=1)], 999, ()),
        ([_item(total_amount=1)], 899, (ITEM_TOTAL_MISMATCH, BASKET_TOTAL_MISMATCH)),
        ([_item(quantity=10**4000, unit_price=1e308)], 899, (ITEM_TOTAL_MISMATCH,)),
        ([_item(unit_price=5e-324, total_amount=0)], 0, ()),
    ],
)
def test_a_total_that_fits_with_neither_sign_of_the_discount_is_reported(
    basket: list[dict[str, Any]], amount_cents: int, warnings: tuple[str, ...]
) -> None:
    """A cent of rounding is no mismatch, and no number is too odd to compare."""
    assert basket_warnings(basket, amount_cents) == warnings
