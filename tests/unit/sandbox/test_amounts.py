"""An amount is what a person may type as one."""

import pytest

from sandbox.amounts import NoAmount, cents_of


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
def test_what_is_no_amount_is_said_so(text: str) -> None:
    """Also where it is a number that nobody can reckon with."""
    with pytest.raises(NoAmount):
        cents_of(text)
