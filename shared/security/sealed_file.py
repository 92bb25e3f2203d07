"""A file of secrets that a passphrase opens: AES-256-GCM under a key by scrypt; written once."""

import base64
import json
import os
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from shared.runtime.ids import RandomBytes

#: Characters of a passphrase at least.
PASSPHRASE_LEAST: Final = 12
_FORMAT: Final = "cloud-terminal sealed file 1"
_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
#: 64 MiB and a quarter of a second for each guess.
_SCRYPT_N: Final = 2**16


class CannotOpen(Exception):
    """Raised for another passphrase, or a file that is none of ours or was changed."""


def seal(path: Path, content: Any, passphrase: str, random_bytes: RandomBytes) -> None:
    """Write JSON content to a new file, mode 0600, on the disk when this returns. Raises FileExistsError."""
    salt, nonce = random_bytes(_SALT_BYTES), random_bytes(_NONCE_BYTES)
    plain = json.dumps(content).encode()
    sealed = AESGCM(_key(passphrase, salt)).encrypt(nonce, plain, _FORMAT.encode())
    written = {
        "format": _FORMAT,
        "salt": base64.b64encode(salt).decode(),
        "nonce": base64.b64encode(nonce).decode(),
        "content": base64.b64encode(sealed).decode(),
    }
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(written, file)
        file.flush()
        os.fsync(file.fileno())


def unseal(path: Path, passphrase: str) -> Any:
    """Return the content. Raises CannotOpen, OSError."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        salt, nonce, content = (base64.b64decode(read[name]) for name in ("salt", "nonce", "content"))
        plain = AESGCM(_key(passphrase, salt)).decrypt(nonce, content, _FORMAT.encode())
    except (ValueError, KeyError, TypeError, InvalidTag) as error:
        raise CannotOpen(path.name) from error
    return json.loads(plain)


def _key(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=_SCRYPT_N, r=8, p=1).derive(passphrase.encode())
