"""Bytes that could not be read, as they may be kept: bounded, printable, without a card's number.

Nothing says what such bytes are, so far more is hidden than in a field that is understood.
"""

import base64
import re
from typing import Final

from shared.concert.mask import SHOWN_FIRST, SHOWN_LAST, mask_personal

#: Printed characters, the figure of what was left out not counted.
SHOWN_CHARACTERS: Final = 400

#: Digits in a row, whatever one or two other signs stand between them (a blank, a dash, a broken byte).
_LONGEST_WITHOUT_MASK: Final = 11
_DIGITS: Final = re.compile(r"[0-9](?:[^0-9A-Za-z]{0,2}[0-9])+")
#: Card expiry and cheque track.
_SECRET_FIELDS: Final = re.compile(r"(?:AB004|AD[0-9]{3})[^A-Z]{1,999}")
#: Base64 hides a card number from every search: a ticket, perhaps broken into lines.
_ENCODED: Final = re.compile(r"[A-Za-z0-9+/=]{16,}")
_CARD_IN_IT: Final = re.compile(rb"[0-9][0-9 -]{10,}[0-9]")
_ESCAPED: Final = re.compile(r"[^ -~]|\\")


def show_unread(data: bytes) -> str:
    """Return the bytes as ASCII text: what is not printable as `\\xNN`, card data masked, a long end cut."""
    text = data.decode("latin-1")
    # Masked whole before anything is cut: a number's part would not be known for one.
    text = _SECRET_FIELDS.sub(lambda found: found.group()[:5] + "*" * (len(found.group()) - 5), text)
    text = _ENCODED.sub(_hide_encoded, text)
    text = _DIGITS.sub(lambda found: _mask_digits(found, text), text)
    # Last: a phone's digits taken out of a card's number would leave a row too short to be known.
    text = mask_personal(text)
    left_out = len(text) - SHOWN_CHARACTERS
    shown = _ESCAPED.sub(lambda found: f"\\x{ord(found.group()):02x}", text[:SHOWN_CHARACTERS])
    return f"{shown}<{left_out} more>" if left_out > 0 else shown


def _hide_encoded(found: re.Match[str]) -> str:
    run = found.group()
    if not any(character.islower() for character in run) and not _holds_digits(run):
        return run
    return f"<{len(run)} characters>"


def _holds_digits(run: str) -> bool:
    """Base64 is read in fours, and nothing says where its first four begin."""
    for begin in range(4):
        fours = run[begin:].replace("=", "")
        decoded = base64.b64decode(fours[: len(fours) // 4 * 4])
        if _CARD_IN_IT.search(decoded):
            return True
    return False


def _mask_digits(found: re.Match[str], text: str) -> str:
    """Digits at either end of the bytes may be a part of a longer row, so there is no first or last one."""
    run = found.group()
    begins, ends = found.start() > 0, found.end() < len(text)
    places = [index for index, character in enumerate(run) if "0" <= character <= "9"]
    if begins and ends and len(places) <= _LONGEST_WITHOUT_MASK:
        return run
    first, last = SHOWN_FIRST if begins else 0, SHOWN_LAST if ends else 0
    characters = list(run)
    for index in places[first : len(places) - last]:
        characters[index] = "*"
    return "".join(characters)
