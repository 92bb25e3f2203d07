"""Credentials' secrets: made at random, kept as keyed hashes.

A secret has 256 random bits, so a fast keyed hash is as good as a slow one: there is nothing to guess.
"""

import base64
import hashlib
import hmac
from typing import Final

from shared.runtime.ids import RandomBytes

_SECRET_BYTES: Final = 32


def new_secret(random_bytes: RandomBytes) -> str:
    """Return a secret as it is shown once: 43 characters that need no quoting in a URL or a shell."""
    return base64.urlsafe_b64encode(random_bytes(_SECRET_BYTES)).rstrip(b"=").decode()


def hash_secret(secret_key: bytes, secret: str) -> str:
    """Return the hash under the installation's key, 64 hexadecimal digits; compare it in constant time."""
    return hmac.new(secret_key, secret.encode(), hashlib.sha256).hexdigest()
