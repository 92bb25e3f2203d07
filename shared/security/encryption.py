"""Encryption of secrets at rest, under the installation's key and bound to their owner's id."""

import base64
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.runtime.ids import RandomBytes

_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32
_PURPOSE: Final = b"cloud-terminal secrets at rest 1"


class DecryptionFailed(Exception):
    """The text was encrypted under another key or for another owner, or it was changed."""


class SecretCipher:
    """AES-256-GCM under a key derived from the installation's; the owner's id is authenticated, too."""

    def __init__(self, secret_key: bytes) -> None:
        derived = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=_PURPOSE).derive(secret_key)
        self._cipher: Final = AESGCM(derived)

    def encrypt(self, secret: str, owner: str, random_bytes: RandomBytes) -> str:
        """Return the text to store for a secret of `owner` (an id)."""
        nonce = random_bytes(_NONCE_BYTES)
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, secret.encode(), owner.encode())).decode()

    def decrypt(self, encrypted: str, owner: str) -> str:
        """Return the secret; raise DecryptionFailed."""
        try:
            content = base64.b64decode(encrypted)
            secret = self._cipher.decrypt(content[:_NONCE_BYTES], content[_NONCE_BYTES:], owner.encode())
        except (InvalidTag, ValueError) as error:
            raise DecryptionFailed(
                f"a secret of {owner} was encrypted under another key, or changed"
            ) from error
        return secret.decode()
