"""Ids of payments, probes, endpoints, merchants, credentials and processes, and claim tokens."""

import re
from collections.abc import Callable
from typing import Final

from ulid import ULID

from shared.runtime.clock import Clock

#: Returns as many random bytes as asked for; `os.urandom` in a real process.
RandomBytes = Callable[[int], bytes]

PAYMENT_PREFIX: Final = "pay_"
PAYMENT_ID: Final = re.compile(r"pay_[0-7][0-9A-HJKMNP-TV-Z]{25}")
PROBE_ID: Final = re.compile(r"prb_[0-7][0-9A-HJKMNP-TV-Z]{25}")


def new_payment_id(clock: Clock, random_bytes: RandomBytes) -> str:
    """Return `pay_` and a ULID, 30 characters: sorted by time (ms), short enough for field CF."""
    return f"{PAYMENT_PREFIX}{_ulid(clock, random_bytes)}"


def is_payment_id(text: str) -> bool:
    """Return True if the text has the form of a payment id."""
    return PAYMENT_ID.fullmatch(text) is not None


def new_probe_id(clock: Clock, random_bytes: RandomBytes) -> str:
    """Return `prb_` and a ULID, 30 characters."""
    return f"prb_{_ulid(clock, random_bytes)}"


def is_probe_id(text: str) -> bool:
    """Return True if the text has the form of a probe id."""
    return PROBE_ID.fullmatch(text) is not None


def new_endpoint_id(clock: Clock, random_bytes: RandomBytes) -> str:
    """Return `whe_` and a ULID, 30 characters."""
    return f"whe_{_ulid(clock, random_bytes)}"


def new_token(random_bytes: RandomBytes) -> str:
    """Return a claim token: 128 random bits, 32 hexadecimal digits."""
    return random_bytes(16).hex()


def new_process_id(random_bytes: RandomBytes) -> str:
    """Return the id of one run of a process, 16 hexadecimal digits; never used again."""
    return random_bytes(8).hex()


def new_merchant_id(clock: Clock, random_bytes: RandomBytes) -> str:
    """Return `mer_` and a ULID, 30 characters."""
    return f"mer_{_ulid(clock, random_bytes)}"


def new_credential_id(random_bytes: RandomBytes) -> str:
    """Return a user name for HTTP Basic: `ct_` and 16 hexadecimal digits."""
    return f"ct_{random_bytes(8).hex()}"


def _ulid(clock: Clock, random_bytes: RandomBytes) -> ULID:
    return ULID(clock.wall_ms().to_bytes(6, "big") + random_bytes(10))
