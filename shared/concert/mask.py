"""Card numbers never leave the codec whole: first 6 digits at most and last 4."""

import re
from typing import Final

SHOWN_FIRST: Final = 6
SHOWN_LAST: Final = 4

# In this order: a payment id is stepped over whole, since its ULID may hold many digits in a row; then groups
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
