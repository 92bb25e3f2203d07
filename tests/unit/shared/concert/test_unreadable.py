"""Unreadable bytes are kept for an operator to see, without card numbers."""

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire.concert import PAN

from shared.concert.mask import SHOWN_CHARACTERS, show_unreadable

#: Their shown first digits differ from their last.
NUMBERS = st.from_regex(r"\A[0-9]{16,19}\Z").filter(lambda number: number[-5:] not in number[:6])
SEPARATORS = st.sampled_from(["", " ", "-", "\x00", ". ", "\r\n"])
NOISE = st.binary(max_size=30).map(lambda noise: re.sub(b"[0-9]", b"", noise))


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"", ""),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0-OpenSSH_9.2\\x0d\\x0a"),
        (b"\x15\x02\xff\xfeERREUR 42\x00", "\\x15\\x02\\xff\\xfeERREUR 42\\x00"),
        (b"CZ0040320CB0042500?", "CZ0040320CB0042500?"),
        (b"\\x41", "\\x5cx41"),
        (b"?" + PAN.encode() + b"?", "?497010******7893?"),
        (b"?4970.1012.3456.7893?", "?4970.10**.****.7893?"),
        (b"?AB0042812AE00210?", "?AB004****AE00210?"),
        (b"?AD0081234567 AE00210?", "?AD008********AE00210?"),
        (b"CK003100AK024TEFOQ3VXN0ZXVF0ZXN0cXVl", "<36 characters>"),
    ],
)
def test_bytes_are_shown_printable_and_masked(data: bytes, shown: str) -> None:
    """Latin-1, the rest escaped; a card's number, expiry and track hidden, and whatever may be base64."""
    assert show_unreadable(data) == shown


@given(NOISE, NUMBERS, SEPARATORS, NOISE, st.integers(1, 4))
def test_no_card_number_shows_whatever_stands_around_and_inside_it(
    before: bytes, number: str, separator: str, after: bytes, group: int
) -> None:
    """Plain, or in groups of any length."""
    groups = [number[begin : begin + group] for begin in range(0, len(number), group)]

    shown = show_unreadable(before + separator.join(groups).encode() + after)

    assert number[:7] not in digits_of(shown)
    assert number[-5:] not in digits_of(shown)


@given(NOISE, NUMBERS, st.integers(7, 15))
def test_a_number_that_is_cut_at_an_end_shows_no_more_than_a_whole_one(
    noise: bytes, number: str, length: int
) -> None:
    """The connection broke in the middle of it, or the bytes are too many to be kept."""
    assert number[:7] not in digits_of(show_unreadable(noise + b"|" + number[:length].encode()))
    assert number[-5:] not in digits_of(show_unreadable(number[-length:].encode() + b"|" + noise))


@given(st.text("ABC abc\n", max_size=20), NUMBERS, st.text("ABC abc\n", max_size=20))
def test_no_encoded_card_number_shows(before: str, number: str, after: str) -> None:
    """A receipt's base64, of which any part could be decoded."""
    encoded = base64.b64encode(f"{before}{number}{after}".encode()).decode()

    shown = show_unreadable(f"?ZT{encoded}?".encode())

    assert not any(encoded[begin : begin + 16] in shown for begin in range(len(encoded) - 15))


@given(st.binary(max_size=20_000))
def test_what_is_kept_is_bounded_and_printable(data: bytes) -> None:
    """For any bytes: four characters at most for each shown one, and the number of those left out."""
    shown = show_unreadable(data)

    assert len(shown) <= 4 * SHOWN_CHARACTERS + len("<99999 more>")
    assert shown.isascii()
    assert shown.isprintable()


def digits_of(shown: str) -> str:
    """Return the digits that were kept: neither those of an escape nor those of a length."""
    return re.sub("[^0-9*]", "", re.sub(r"\\x[0-9a-f]{2}|<[0-9]+ characters>", "", shown))
