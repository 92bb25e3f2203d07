"""The complement of a status (AF): an answer code, and a text whose form depends on the card application."""

from dataclasses import dataclass
from typing import Final

from shared.concert import fields as f
from shared.concert.mask import mask_card_numbers
from shared.concert.receipt import clean_text

#: CB/EMV applications: 2 the issuer's answer code, 21 its message, 2 the check results, 2 the reason.
_FIXED_COLUMNS_LENGTH: Final = 27
_MESSAGE_COLUMNS: Final = slice(2, 23)


@dataclass(frozen=True, slots=True)
class AnswerCode:
    """What AF says."""

    #: Two digits; empty where AF does not begin with two digits.
    code: str
    #: The issuer's answer code (CB2A field 39), where the application gives it.
    issuer_code: str | None
    #: The rest in words, masked; may be empty.
    text: str

    @property
    def description(self) -> str:
        """The code in words with the terminal's text: the contract's errorDescription."""
        words = f.ANSWER_CODES.get(self.code, "")
        return ": ".join(part for part in (words, self.text) if part)


def read_answer_code(value: str) -> AnswerCode | None:
    """Return what an AF says; None for a blank one, which is as good as none."""
    value = clean_text(value)
    if not value.strip():
        return None
    code, rest = value[:2], value[2:]
    if len(code) != 2 or not (code.isascii() and code.isdigit()):
        return AnswerCode("", None, mask_card_numbers(value.strip()))
    issuer_code = rest[:2]
    if len(rest) == _FIXED_COLUMNS_LENGTH and set(issuer_code) <= set("0123456789 "):
        message = rest[_MESSAGE_COLUMNS].strip()
        return AnswerCode(code, issuer_code.strip() or None, mask_card_numbers(message))
    return AnswerCode(code, None, mask_card_numbers(rest.strip()))
