"""Credentials for HTTP Basic, stored as keyed hashes, and signing secrets of webhooks.

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


class Role(StrEnum):
    """Rights of an operator; each role may do what the ones before it may."""

    #: Look at everything.
    READ = "read"
    #: Decide doubts, ask for terminals, replay deliveries.
    SETTLE = "settle"
    #: Merchants, credentials and operators.
    ADMIN = "admin"

    def includes(self, other: "Role") -> bool:
        """Return True if this role may do what the other may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


def new_secret(random_bytes: "RandomBytes") -> str:
    """Return a secret of 43 characters that need no quoting in a URL or a shell."""
    return base64.urlsafe_b64encode(random_bytes(_SECRET_BYTES)).rstrip(b"=").decode()


def hash_secret(secret_key: bytes, secret: str) -> str:
    """Return the hash under the installation's key, 64 hexadecimal digits; compare it in constant time."""
    return hmac.new(secret_key, secret.encode(), hashlib.sha256).hexdigest()


PREFIX: Final = "whsec_"
_BYTES: Final = 32
_MIN_BYTES: Final = 24


def new_webhook_secret(random_bytes: "RandomBytes") -> str:
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
