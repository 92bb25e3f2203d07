"""The fields of a request or an answer as history and logs may keep them: by the form that `TAGS` names.

A tag without a form, or a value of another form, is kept by its length alone: makers' extras and free texts
hold phones, e-mail addresses and whatever else a POS or terminal writes there.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Final

from shared.concert import fields as f
from shared.concert.echoes import find_reference
from shared.concert.mask import mask_card, mask_card_numbers

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
