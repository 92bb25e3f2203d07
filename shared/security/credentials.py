"""Credentials for HTTP Basic: their kinds, and their secrets, random and stored as keyed hashes.

A secret has 256 random bits, so a fast keyed hash is as good as a slow one: there is nothing to guess.
"""

import base64
import hashlib
import hmac
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    # The command line reads the kinds for its help, which makes no id.
    from shared.runtime.ids import RandomBytes

_SECRET_BYTES: Final = 32


class CredentialKind(StrEnum):
    """The use of a credential; `private` and `public` belong to one merchant, the others to none."""

    PRIVATE = "private"
    PUBLIC = "public"
    GATEWAY = "gateway"
    OPERATOR = "operator"


def new_secret(random_bytes: "RandomBytes") -> str:
    """Return a secret of 43 characters that need no quoting in a URL or a shell."""
    return base64.urlsafe_b64encode(random_bytes(_SECRET_BYTES)).rstrip(b"=").decode()


def hash_secret(secret_key: bytes, secret: str) -> str:
    """Return the hash under the installation's key, 64 hexadecimal digits; compare it in constant time."""
    return hmac.new(secret_key, secret.encode(), hashlib.sha256).hexdigest()
