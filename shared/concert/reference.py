"""Our payment reference in a terminal's private data (CF)."""

import re
from enum import Enum
from typing import Final

#: `pay_` and a ULID. A ULID's letters are the same in either case.
_REFERENCE: Final = re.compile(r"pay_[0-9A-HJKMNP-TV-Z]{26}", re.IGNORECASE)


class Owner(Enum):
    """Whose reference private data carry."""

    OURS = "ours"
    #: A reference of our form that belongs to another payment.
    ANOTHER_PAYMENT = "another_payment"
    #: None of our form: the terminal's own data, which say nothing.
    NOBODY = "nobody"


def owner_of(private_data: str, reference: str) -> Owner:
    """Tell whose reference stands in CF; other data may stand around it, as in `pay_...§1010000000`.

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
