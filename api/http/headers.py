"""Parser of the request headers that decide something: Idempotency-Key and Prefer."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from api.http.errors import InvalidHeader

_IDEMPOTENCY_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_WAIT: Final = re.compile(r"[0-9]{1,9}")


def read_idempotency_key(header: str | None) -> str | None:
    """Return the `Idempotency-Key`, 1 to 255 printable ASCII characters without blanks; None without one.

    Raises InvalidHeader.
    """
    if header is None:
        return None
    if _IDEMPOTENCY_KEY.fullmatch(header) is None:
        raise InvalidHeader("Idempotency-Key should be 1 to 255 printable ASCII characters without blanks.")
    return header


@dataclass(frozen=True, slots=True)
class Preference:
    """The `Prefer` header, RFC 7240: how long the client waits, or that it does not wait for the result."""

    respond_async: bool = False
    #: None: as long as it takes, up to our own limit.
    wait_seconds: int | None = None


NO_PREFERENCE: Final = Preference()


def read_preference(headers: Sequence[str]) -> Preference:
    """Return the preference of the `Prefer` headers; unknown preferences are ignored.

    Raises InvalidHeader for a `wait` that is no whole number of seconds.
    """
    respond_async, wait_seconds = False, None
    for preference in ",".join(headers).split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        match name.strip().lower():
            case "respond-async":
                respond_async = True
            case "wait" if wait_seconds is None:  # of several, the first one is meant
                wait_seconds = _read_wait(value.strip().strip('"'))
    return Preference(respond_async, wait_seconds)


def _read_wait(value: str) -> int:
    if _WAIT.fullmatch(value) is None:
        raise InvalidHeader("Prefer: wait should be a whole number of seconds.")
    return int(value)
