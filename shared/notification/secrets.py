"""Signing secrets of webhooks, in the form of Standard Webhooks."""

import base64
from typing import Final

from shared.runtime.ids import RandomBytes

PREFIX: Final = "whsec_"
_BYTES: Final = 32
_MIN_BYTES: Final = 24


def new_webhook_secret(random_bytes: RandomBytes) -> str:
    """Return `whsec_` and 256 random bits in base64."""
    return PREFIX + base64.b64encode(random_bytes(_BYTES)).decode()


def is_webhook_secret(text: str) -> bool:
    """Return True if the text is `whsec_` and at least 24 bytes in base64."""
    if not text.startswith(PREFIX):
        return False
    try:
        return len(base64.b64decode(text.removeprefix(PREFIX), validate=True)) >= _MIN_BYTES
    except ValueError:
        return False
