"""Request headers of ours that decide something."""

import re
from typing import Final

from api.contract.errors import InvalidHeader

_IDEMPOTENCY_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


def read_idempotency_key(header: str | None) -> str | None:
    """Return the `Idempotency-Key`, 1 to 255 printable ASCII characters without blanks; None without one.

    Raises InvalidHeader.
    """
    if header is None:
        return None
    if _IDEMPOTENCY_KEY.fullmatch(header) is None:
        raise InvalidHeader("Idempotency-Key should be 1 to 255 printable ASCII characters without blanks.")
    return header
