"""Masks: a card number never leaves the codec whole, but with its first 6 digits at most and its last 4.

Bytes that cannot be read are shown bounded and printable. Nothing says what they are, so far more is hidden
in them than in a field that is understood.

History and logs keep a field by the form that `TAGS` names. A tag without a form, or a value of another form,
is kept by its length alone: makers' extras and free texts hold phones, e-mail addresses and whatever else a
POS or terminal writes there.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Final

from shared.concert import fields as f
from shared.concert.echoes import find_reference

SHOWN_FIRST: Final = 6
SHOWN_LAST: Final = 4

# In this order: a payment id is skipped whole, since its ULID may hold many digits in a row; then groups
# as printed on cards, from the longest.
_SUSPECT = re.compile(
    r"pay_[0-9A-HJKMNP-TV-Z]{26}"
    r"|(?<![0-9])[0-9]{4}(?:[ -][0-9]{4}){3}(?:[ -]?[0-9]{1,3})?(?![0-9])"
    r"|(?<![0-9])[0-9]{4}(?:[ -][0-9]{4}){2}[ -][0-9]{1,3}(?![0-9])"
    r"|(?<![0-9])[0-9]{4}[ -][0-9]{6}[ -][0-9]{4,5}(?![0-9])"
    r"|[0-9]{12,}",
)
#: An e-mail address (not the user and host of a URL), a French phone number.
_PERSONAL: Final = re.compile(
    r"(?<![\w.%+/-])[\w.%+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}"
    r"|(?<![\w.+-])(?:\+33|0033|0)[ .-]?[1-9](?:[ .-]?[0-9]{2}){4}(?!\w)"
)
# Numbers shorter than 16 digits are common (SIRET, times in ms, protocol identifiers), so they must look like
# a card's: right first digits for their length, and the check digit.
_SHORT_PREFIXES: Final[dict[int, tuple[str, ...]]] = {
    12: ("5", "6"),
    13: ("4", "5", "6"),
    14: ("30", "36", "38", "39"),
    15: ("34", "37", "1800", "2131", "5", "6"),
}
_ALWAYS_MASKED_LENGTH: Final = 16


def mask_card_numbers(text: str) -> str:
    """Return the text with every run of digits that may be a card number masked, `497010******7890`.

    In a row or in groups as printed on cards: 16 digits or more always count, 12 to 15 where first digits and
    check digit are a card's. Payment ids (`pay_` and 26 characters) stay as they are.
    """
    return _SUSPECT.sub(_mask_match, text)


def mask_personal(text: str) -> str:
    """Return the text with `***` for every e-mail address and French phone number in it."""
    return _PERSONAL.sub("***", text)


def _mask_match(match: re.Match[str]) -> str:
    text = match.group()
    if text.startswith("pay_"):
        return text
    digits = re.sub("[ -]", "", text)
    if len(digits) < _ALWAYS_MASKED_LENGTH and not _looks_like_a_card(digits):
        return text
    return _mask_digits(digits)


def _mask_digits(digits: str) -> str:
    return digits[:SHOWN_FIRST] + "*" * (len(digits) - SHOWN_FIRST - SHOWN_LAST) + digits[-SHOWN_LAST:]


def _looks_like_a_card(digits: str) -> bool:
    return digits.startswith(_SHORT_PREFIXES[len(digits)]) and _has_check_digit(digits)


def _has_check_digit(digits: str) -> bool:
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + index % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def mask_card(value: str) -> str | None:
    """Return a field known to hold a card number (AA) masked whatever it looks like; None where it is blank.

    Whatever the terminal used to hide digits becomes `*`; what follows a track's separator is dropped.
    """
    shown = re.split("[=D]", value.strip(), maxsplit=1)[0].replace(" ", "")
    if not shown:
        return None
    hidden = [character if "0" <= character <= "9" else "*" for character in shown]
    first = SHOWN_FIRST if len(hidden) > SHOWN_FIRST + SHOWN_LAST else 0
    for index in range(first, max(len(hidden) - SHOWN_LAST, 0)):
        hidden[index] = "*"
    if len(hidden) <= SHOWN_LAST + 1:
        return "*" * len(hidden)
    return "".join(hidden)


#: Printed characters; the count of those left out comes on top.
SHOWN_CHARACTERS: Final = 400

#: Digits in a row, even with one or two other signs between them (a blank, a dash, a broken byte).
_LONGEST_WITHOUT_MASK: Final = 11
_DIGITS: Final = re.compile(r"[0-9](?:[^0-9A-Za-z]{0,2}[0-9])+")
#: Card expiry and cheque track.
_SECRET_FIELDS: Final = re.compile(r"(?:AB004|AD[0-9]{3})[^A-Z]{1,999}")
#: Base64 hides a card number from every search: a receipt, perhaps broken into lines.
_ENCODED: Final = re.compile(r"[A-Za-z0-9+/=]{16,}")
_CARD_IN_IT: Final = re.compile(rb"[0-9][0-9 -]{10,}[0-9]")
_ESCAPED: Final = re.compile(r"[^ -~]|\\")


def show_unreadable(data: bytes) -> str:
    """Return bytes as ASCII text: unprintable ones as `\\xNN`, card data masked, a long end cut."""
    text = data.decode("latin-1")
    # Masked whole before anything is cut: a number's part would not be known for one.
    text = _SECRET_FIELDS.sub(lambda found: found.group()[:5] + "*" * (len(found.group()) - 5), text)
    text = _ENCODED.sub(_hide_encoded, text)
    text = _DIGITS.sub(lambda found: _mask_digits_of(found, text), text)
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
    """Return whether a base64 run holds a card number, wherever its first group of four begins."""
    for begin in range(4):
        fours = run[begin:].replace("=", "")
        decoded = base64.b64decode(fours[: len(fours) // 4 * 4])
        if _CARD_IN_IT.search(decoded):
            return True
    return False


def _mask_digits_of(found: re.Match[str], text: str) -> str:
    """Mask digits; at either end of the bytes they may be part of a longer row, so none is shown there."""
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


_FORMS: Final = {tag: re.compile(known.kept) for tag, known in f.TAGS.items() if known.kept is not None}
#: The text that replaces a value.
_LENGTH: Final = re.compile("<[0-9]+ characters>")
_CODE: Final = re.compile("[0-9]{2}")


def allowed_fields(fields: Mapping[str, str]) -> dict[str, str]:
    """Return fields as they may be stored and logged; applied again it changes nothing.

    Card numbers are masked; of AF the answer code is kept, of private data (CF) our reference.
    """
    return {tag: _allowed(tag, value) for tag, value in fields.items()}


def fingerprint(fields: Mapping[str, str]) -> str:
    """Return the SHA-256 of an answer's fields, in hex: kept of what may be another merchant's answer."""
    row = "".join(f"{tag}{len(value):03}{value}" for tag, value in sorted(fields.items()))
    return hashlib.sha256(row.encode("utf-8", "surrogatepass")).hexdigest()


def _allowed(tag: str, value: str) -> str:
    if _LENGTH.fullmatch(value):
        return value
    if tag == f.CARD_NUMBER:
        return mask_card(value) or ""
    if tag == f.PRIVATE_DATA:
        reference = find_reference(value)
        return _length(value) if reference is None else reference
    if tag == f.ANSWER_CODE:
        return value[:2] if _CODE.match(value) else _length(value)
    form = _FORMS.get(tag)
    if form is None or not form.fullmatch(value.strip()):
        return _length(value)
    return mask_card_numbers(value.strip())


def _length(value: str) -> str:
    return f"<{len(value)} characters>"
