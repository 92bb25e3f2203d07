"""Receipts: base64 as real terminals write it, and the words that show a transaction as done."""

import base64
import binascii
import hashlib
import re
import unicodedata
from collections.abc import Mapping
from typing import Final

from shared.concert import fields as f
from shared.concert.mask import mask_card_numbers
from shared.payment.payment import Operation

_HEADER_LENGTH: Final = 5
_HEADER: Final = re.compile("[A-Z][A-Z0-9][0-9]{3}")


def encoded_receipt_in(fields: Mapping[str, str]) -> str | None:
    """Return the base64 of an answer's receipt (AK, alone or inside ZT); None where it has none."""
    if fields.get(f.RECEIPT_TEXT, "").strip():
        return fields[f.RECEIPT_TEXT]
    inner = fields.get(f.RECEIPT, "")
    position = 0
    while position + _HEADER_LENGTH < len(inner):
        tag, length = inner[position : position + 2], inner[position + 2 : position + _HEADER_LENGTH]
        if not (length.isascii() and length.isdigit()):
            return None
        begin = position + _HEADER_LENGTH
        if tag == f.RECEIPT_TEXT:
            # Its length may be a character or two off: then the receipt ends where ZT ends.
            end = begin + int(length)
            return (inner[begin:end] if _HEADER.match(inner, end) else inner[begin:]) or None
        position = begin + int(length)
    return None


def decode_receipt(encoded: str) -> str | None:
    """Return the receipt's text, lines ended by LF, card numbers masked; None where it cannot be read.

    Takes base64 with line breaks and without padding; the text is UTF-8, else Latin-1.
    """
    compact = re.sub(r"\s", "", encoded).rstrip("=")
    try:
        # Padding is made anew, whatever was there.
        raw = base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    text = mask_card_numbers(clean_text(text))
    return text if text.strip() else None


def encode_receipt(text: str) -> str:
    """Return the text as the contract's `receipt`: base64 of its UTF-8."""
    return base64.b64encode(text.encode("utf-8")).decode("ascii")


#: Every control character but tab and line feed.
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LINE_END: Final = re.compile("\r\n?")


def clean_text(text: str) -> str:
    """Return the text with LF as its only line break and no control characters (databases refuse U+0000)."""
    return text if text.isprintable() else _CONTROL.sub("", _LINE_END.sub("\n", text))


def receipt_fingerprint(text: str) -> str:
    """Return the SHA-256 of a receipt's text, in hex: kept of what may be another merchant's receipt."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


_NOT_DONE: Final = ("ABANDON", "REFUS", "INTERDIT", "NON ABOUTI")
_UNDONE: Final = "ANNUL"
#: Words of a text line that names the operation; a bank's name (`CREDIT ...`, `VISA DEBIT`) is none.
_OPERATION_WORDS: Final[dict[Operation, frozenset[str]]] = {
    Operation.DEBIT: frozenset({"DEBIT"}),
    Operation.REVERSAL: frozenset({"ANNULATION"}),
    Operation.CREDIT: frozenset({"CREDIT", "REMBOURSEMENT"}),
}
#: Words that may stand beside it.
_FILLING_WORDS: Final = frozenset({"DE", "DU", "LA", "TRANSACTION"})


def reads_as_done(text: str, operation: Operation) -> bool:
    """Return whether a receipt says that this operation was done.

    A line of its own names the operation, and nowhere stands ABANDON, REFUS, INTERDIT or NON ABOUTI, nor, but
    for a reversal, ANNUL. A refused payment's receipt has amount and authorisation number, too.
    """
    plain = _plain(text)
    flat = " ".join(plain.split())
    if any(word in flat for word in _NOT_DONE):
        return False
    if operation is not Operation.REVERSAL and _UNDONE in flat:
        return False
    return any(_names(line, operation) for line in plain.splitlines())


def _names(line: str, operation: Operation) -> bool:
    words = frozenset(re.findall("[A-Z]+|[0-9]+", line))
    named = words & _OPERATION_WORDS[operation]
    filling = _FILLING_WORDS | {"DEBIT"} if operation is Operation.REVERSAL else _FILLING_WORDS
    return bool(named) and words - named <= filling


def _plain(text: str) -> str:
    """Return the text in capitals without accents, so that REFUSÉ is found, too."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).upper()
