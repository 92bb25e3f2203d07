"""Echoes: sent fields, our payment reference among them, as a terminal gives them back."""

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Final

from shared.concert import fields as f

#: That many complete answers must have carried a field before its absence means something.
REMEMBERED_ANSWERS: Final = 3

#: Echoed as sent, where echoed at all. CC and CI depend on how the customer paid and may differ.
_EQUAL_WHERE_PRESENT: Final = (f.POS_NUMBER, f.ACTION, f.CURRENCY)


def learn_echoes(remembered: Sequence[Sequence[str]], answered: Iterable[str]) -> list[list[str]]:
    """Return the tags of a terminal's last three complete answers to operations, the new one included.

    `remembered` is what this function returned before (JSON-able), `answered` the new answer's tags. CF is
    left out: some terminals echo it on refusals only, so an echo says nothing about the next answer.
    Identifications and enquiries are not remembered: they lack fields that payments have.
    """
    tags = sorted(set(answered) - {f.PRIVATE_DATA})
    return [list(tags_before) for tags_before in remembered[1 - REMEMBERED_ANSWERS :]] + [tags]


def known_echoes(remembered: Sequence[Sequence[str]], sent: Iterable[str]) -> frozenset[str] | None:
    """Return the sent tags that were in each of the last three complete answers; None with fewer answers."""
    if len(remembered) < REMEMBERED_ANSWERS:
        return None
    always = set(remembered[0]).intersection(*remembered[1:])
    return frozenset(always & set(sent) - {f.PRIVATE_DATA})


def differing_echo(answer: Mapping[str, str], sent: Mapping[str, str]) -> str | None:
    """Return the tag of a field (CA, CD, CE) that comes back with another value than was sent, else None."""
    for tag in _EQUAL_WHERE_PRESENT:
        if tag in answer and tag in sent and answer[tag].strip() != sent[tag]:
            return tag
    return None


def amount_in(answer: Mapping[str, str]) -> int | None:
    """Return the answer's amount (CB) in cents, leading zeros ignored; None where there is none.

    A text that is no number is -1: it differs from every amount that can be sent.
    """
    text = answer.get(f.AMOUNT, "").strip()
    if not text:
        return None
    return int(text) if text.isascii() and text.isdigit() else -1


#: `pay_` and a ULID. A ULID's letters are the same in either case.
_REFERENCE: Final = re.compile(r"pay_[0-9A-HJKMNP-TV-Z]{26}", re.IGNORECASE)


class Owner(Enum):
    """The owner of the reference in private data."""

    OURS = "ours"
    #: A reference of our form that belongs to another payment.
    ANOTHER_PAYMENT = "another_payment"
    #: No reference of our form: the terminal's own data.
    NOBODY = "nobody"


def owner_of(private_data: str, reference: str) -> Owner:
    """Return whose reference stands in CF; other data may stand around it, as in `pay_...§1010000000`.

    The first one of our form counts: what a terminal adds, it adds behind.
    """
    found = _REFERENCE.search(private_data)
    if found is None:
        return Owner.NOBODY
    return Owner.OURS if found.group().upper() == reference.upper() else Owner.ANOTHER_PAYMENT


def find_reference(text: str) -> str | None:
    """Return the first payment id of our form in a text, as it is stored; None where there is none."""
    found = _REFERENCE.search(text)
    return None if found is None else f"pay_{found.group()[4:].upper()}"
