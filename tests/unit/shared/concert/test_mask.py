"""Card numbers are masked wherever they stand, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire.concert import PAN, PAYMENT

from shared.concert.mask import mask_card, mask_card_numbers


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (PAN, "497010******7893"),
        (f"carte {PAN}, merci", "carte 497010******7893, merci"),
        ("4970 1012 3456 7893", "497010******7893"),
        ("4970-1012-3456-7893", "497010******7893"),
        ("378282246310005", "378282*****0005"),
        ("3782 822463 10005", "378282*****0005"),
        ("3056 930902 5904", "305693****5904"),
        ("6304 0000 0000 0000 000", "630400*********0000"),
        ("4970 1012 3456 7893 12", "497010********9312"),
        ("4970 1012 3456 7893 1234", "497010******7893 1234"),
        ("4222 2222 2222 2", "422222***2222"),
        ("30569309025904", "305693****5904"),
        ("4222222222222", "422222***2222"),
        ("6304000000000000000", "630400*********0000"),
        ("AA016" + PAN + "AB0042812", "AA016497*********7893AB0042812"),
        ("x" + PAN + "y", "x497010******7893y"),
    ],
)
def test_a_card_number_is_masked(text: str, masked: str) -> None:
    """First 6 at most and last 4 stay."""
    assert mask_card_numbers(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        PAYMENT,
        "pay_01234567890123456789012345",
        "CJ012012345678901",
        "1764035721000",
        "20221219135722",
        "A0000000421010",
        "SIRET 73282932000074",
        "SIRET 55210055400054",
        "Le 19/12/2022 a 13:57:22",
        "005 001 000010 C @",
        "NUM AUTO : 184117",
        "+33612345678",
        "2026-11-25T01:55:21.123Z",
        "2026 1125 0155 211",
        "4970 101234 56789",
        "497010******7893",
    ],
)
def test_what_is_no_card_number_stays(text: str) -> None:
    """Payment ids, protocol identifiers, times, company numbers, phones."""
    assert mask_card_numbers(text) == text


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        (PAN, "497010******7893"),
        ("497010XXXXXX7893", "497010******7893"),
        ("################7893", "****************7893"),
        ("4970 1012 3456 7893", "497010******7893"),
        (PAN + "=2812", "497010******7893"),
        (PAN + "D2812", "497010******7893"),
        ("4970101234", "******1234"),
        ("7893", "****"),
        ("  ", None),
    ],
)
def test_a_card_field_is_masked_whatever_it_looks_like(value: str, masked: str | None) -> None:
    """AA, whole, already masked, or with a track behind it."""
    assert mask_card(value) == masked


@given(st.text("0123456789 -=Dx*", max_size=40))
def test_no_more_than_ten_digits_of_a_card_field_are_shown(value: str) -> None:
    """For any text in AA."""
    masked = mask_card(value) or ""

    assert sum(character.isdigit() for character in masked) <= 10


@given(st.text(max_size=30), st.from_regex(r"\A[0-9]{16,19}\Z"), st.text(max_size=30))
def test_a_long_number_is_masked_in_any_text(before: str, number: str, after: str) -> None:
    """With any text around it."""
    assert number not in mask_card_numbers(f"{before}|{number}|{after}")
