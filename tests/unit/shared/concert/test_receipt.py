"""Tickets as real terminals write them, and what they say."""

import base64

import pytest
from wire.concert import base64_of, receipt_field

from shared.concert.receipt import (
    decode_receipt,
    encode_receipt,
    encoded_receipt_in,
    reads_as_done,
    receipt_fingerprint,
)
from shared.payment.payment import Operation

TEXT = "CARTE BANCAIRE\nMONTANT :\n123,45 EUR\nDÉBIT"


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_receipt_is_read_in_utf_8_and_in_latin_1(encoding: str) -> None:
    """UTF-8 is tried first."""
    assert decode_receipt(base64_of(TEXT, encoding)) == TEXT


def test_a_receipt_is_read_without_padding_and_with_line_breaks() -> None:
    """Inside, at the end, and in any style."""
    encoded = base64_of(TEXT + "!")
    assert encoded.endswith("=")

    assert decode_receipt(encoded.rstrip("=")) == TEXT + "!"
    assert decode_receipt(encoded[:10] + "\r\n" + encoded[10:] + "\n") == TEXT + "!"


def test_a_receipts_lines_end_with_a_line_feed() -> None:
    """With any line ends of the terminal."""
    assert decode_receipt(base64_of("A\r\nB\rC\nD")) == "A\nB\nC\nD"


@pytest.mark.parametrize("encoded", ["", "  ", "A", "ABCDE", "*not base64*", "\x00", "IA=="])
def test_what_is_no_receipt_is_none(encoded: str) -> None:
    """Empty, not base64, or a text of blanks."""
    assert decode_receipt(encoded) is None


def test_a_receipt_is_found_alone_and_inside_its_envelope() -> None:
    """AK, or ZT made of CK and AK in either order; AK's own length may be a character or two off."""
    assert encoded_receipt_in({"AK": "QUJD"}) == "QUJD"
    assert encoded_receipt_in({"ZT": "CK003100AK004QUJD"}) == "QUJD"
    assert encoded_receipt_in({"ZT": "AK004QUJDCK003100"}) == "QUJD"
    assert encoded_receipt_in({"ZT": "CK003100AK006QUJD"}) == "QUJD"
    assert encoded_receipt_in({"ZT": "CK003100AK002QUJD"}) == "QUJD"


@pytest.mark.parametrize("value", ["", "CK003100", "CK003", "CKxyz", "CK003100AK000", "QUJDREVG"])
def test_an_envelope_without_a_receipt_holds_none(value: str) -> None:
    """And nothing raises."""
    assert encoded_receipt_in({"ZT": value}) is None


def test_a_receipt_goes_out_as_base64_of_utf_8() -> None:
    """The contract's `receipt`."""
    assert base64.b64decode(encode_receipt(TEXT)).decode() == TEXT
    assert decode_receipt(encode_receipt(TEXT)) == TEXT


def test_a_fingerprint_tells_receipts_apart_and_tells_no_more() -> None:
    """SHA-256."""
    assert receipt_fingerprint("A") == receipt_fingerprint("A") != receipt_fingerprint("B")
    assert len(receipt_fingerprint("A")) == 64


@pytest.mark.parametrize(
    ("text", "operation", "done"),
    [
        ("25,00 EUR\nDEBIT\nTICKET CLIENT", Operation.DEBIT, True),
        ("25,00 EUR\n*** DÉBIT ***", Operation.DEBIT, True),
        ("25,00 EUR\ndebit", Operation.DEBIT, True),
        ("VISA DEBIT\n25,00 EUR", Operation.DEBIT, False),
        ("25,00 EUR", Operation.DEBIT, False),
        ("ABANDON DEBIT\n25,00 EUR", Operation.DEBIT, False),
        ("DEBIT\nREFUSÉ", Operation.DEBIT, False),
        ("DEBIT\nOPERATION  NON\nABOUTIE", Operation.DEBIT, False),
        ("DEBIT\nINTERDIT", Operation.DEBIT, False),
        ("DEBIT\nANNULATION", Operation.DEBIT, False),
        ("25,00 EUR\nANNULATION", Operation.REVERSAL, True),
        ("ANNULATION DE DEBIT", Operation.REVERSAL, True),
        ("DEBIT", Operation.REVERSAL, False),
        ("ANNULATION\nREFUSEE", Operation.REVERSAL, False),
        ("ABANDON ANNULATION", Operation.REVERSAL, False),
        ("25,00 EUR\nCREDIT", Operation.CREDIT, True),
        ("REMBOURSEMENT", Operation.CREDIT, True),
        ("CREDIT MUTUEL\nDEBIT", Operation.CREDIT, False),
        ("ANNULATION CREDIT\nCREDIT", Operation.CREDIT, False),
    ],
)
def test_a_receipt_reads_as_done_or_not(text: str, operation: Operation, done: bool) -> None:
    """A line of its own names the operation and nothing says that it failed."""
    assert reads_as_done(text, operation) is done
    assert decode_receipt(encoded_receipt_in({"ZT": receipt_field(text)}) or "") == text
