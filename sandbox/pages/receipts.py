"""French receipts read in English, for pages: what a terminal prints and sends stays French."""

import re
from typing import Final

#: Whole lines.
_LINES: Final = {
    "CARTE BANCAIRE": "BANK CARD",
    "SANS CONTACT": "CONTACTLESS",
    "ABANDON DEBIT": "DEBIT NOT DONE",
    "ABANDON CREDIT": "CREDIT NOT DONE",
    "ABANDON ANNULATION": "REVERSAL NOT DONE",
    "MONTANT :": "AMOUNT:",
    "ANNULATION": "REVERSAL",
    "TICKET CLIENT": "CUSTOMER'S COPY",
    "TICKET COMMERCANT": "MERCHANT'S COPY",
    "A CONSERVER": "PLEASE KEEP",
}
#: Lines with a value.
_FORMS: Final = (
    (re.compile(r"Le (\S+) a (\S+)"), r"\1 at \2"),
    (re.compile(r"NUM AUTO : (.+)"), r"AUTHORISATION NO: \1"),
    (re.compile(r"(\d+),(\d\d) EUR"), r"\1.\2 EUR"),
)


def in_english(receipt: str) -> str:
    """Return a receipt of the virtual terminal line by line in English; a line that is not known stays."""
    return "\n".join(_line(line) for line in receipt.splitlines())


def _line(line: str) -> str:
    for form, english in _FORMS:
        if form.fullmatch(line):
            return form.sub(english, line)
    return _LINES.get(line, line)
