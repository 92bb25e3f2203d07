"""The Location of a redirect as text to keep: for people to read, never to follow."""

import re
from typing import Final

from shared.concert.mask import mask_card_numbers

#: Characters that are kept.
MAX_CHARACTERS: Final = 500
_MAX_BYTES: Final = 4096

#: A name and password before the host.
_USER: Final = re.compile(r"^((?:[a-z][a-z0-9+.-]*:)?//)[^/?#]*@", re.IGNORECASE)
#: What a query or fragment says may be secret; that there is one may be the reason of the redirect.
_AFTER_PATH: Final = re.compile(r"([?#]).+", re.DOTALL)


def kept_location(raw: bytes) -> str:
    """Return the header's text without secrets, card numbers and characters that are not for reading."""
    text = raw[:_MAX_BYTES].decode(errors="replace")
    text = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
    text = _AFTER_PATH.sub(r"\1...", _USER.sub(r"\1***@", text))
    return mask_card_numbers(text)[:MAX_CHARACTERS]
