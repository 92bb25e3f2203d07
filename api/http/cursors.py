"""Cursor and time codec of queries and bodies."""

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.storage.payments.listing import Place

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PLACE: Final = re.compile(r"([0-9]{1,15})\.([A-Za-z0-9_]{1,64})")


def read_time(text: str) -> int | None:
    """Return milliseconds since 1970 UTC of an ISO 8601 time with its offset; None for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def cursor(place: Place | None) -> str | None:
    """Return the opaque text of a page's end, which `read_cursor` reads; None where there is none."""
    if place is None:
        return None
    return base64.urlsafe_b64encode(f"{place.created_at}.{place.id}".encode()).rstrip(b"=").decode()


def read_cursor(text: str) -> Place | None:
    """Return the place that `cursor` wrote; None for any other text."""
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    match = _PLACE.fullmatch(plain)
    return None if match is None else Place(int(match[1]), match[2])
