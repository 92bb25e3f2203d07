"""The fields of a request or an answer as they may be kept: an allow-list of tags, each with its form.

Whatever is not on it, or does not have its form, is kept by its length alone: makers' extras and free texts
hold phones, e-mail addresses and whatever else a till or terminal writes there.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Final

from shared.concert import fields as f
from shared.concert.mask import mask_card, mask_card_numbers
from shared.concert.reference import find_reference

_FORMS: Final[dict[str, re.Pattern[str]]] = {
    tag: re.compile(form)
    for tag, form in {
        f.PROTOCOL_VERSION: "[0-9]{4}",
        f.SOFTWARE_ID: "[0-9]{12}",
        f.POS_NUMBER: "[0-9A-Za-z]{2}",
        f.AMOUNT: "[0-9]{1,12}",
        f.APPLICATION: "[0-9A-Z]{3}",
        f.ACTION: "[0-9A-Z]",
        f.CURRENCY: "[0-9]{3}",
        f.CONTRACT: "[0-9A-Za-z]{1,10}",
        f.READ_MODE: "[0-9]",
        f.TICKET_WANTED: "[0-9A-Za-z]{3}",
        f.ANSWER_MODE: "[0-9]",
        f.AUTHORISATION: "[0-9]",
        f.PARTIAL_PAYMENT: "[0-9]",
        f.AUTHORISATION_NUMBER: "[0-9A-Za-z]{1,10}",
        f.STATUS: "[0-9]{2}",
        f.AID: "[0-9A-Fa-f]{10,32}",
    }.items()
}
#: What stands in place of a value.
_LENGTH: Final = re.compile("<[0-9]+ characters>")
_CODE: Final = re.compile("[0-9]{2}")


def harmless_fields(fields: Mapping[str, str]) -> dict[str, str]:
    """Return fields as they may be stored and logged; once more applied, it changes nothing.

    Card numbers are masked, of the complement (AF) the code is kept, of private data (CF) our reference.
    """
    return {tag: _harmless(tag, value) for tag, value in fields.items()}


def fingerprint(fields: Mapping[str, str]) -> str:
    """Return what may be kept of perhaps another merchant's answer: SHA-256 of its fields, in hex."""
    row = "".join(f"{tag}{len(value):03}{value}" for tag, value in sorted(fields.items()))
    return hashlib.sha256(row.encode("utf-8", "surrogatepass")).hexdigest()


def _harmless(tag: str, value: str) -> str:
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
