"""The installation's secret key, from the settings or a file beside SQLite's database, and its cipher."""

import base64
import os
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.runtime.ids import RandomBytes
from shared.settings.fields import variable
from shared.settings.settings import Settings, SettingsError
from shared.storage.db.private_files import make_private_folder

SQLITE_SCHEME: Final = "sqlite+aiosqlite:///"
KEY_FILE: Final = "cloud-terminal.key"


def load_secret_key(settings: Settings, random_bytes: RandomBytes) -> bytes:
    """Return the installation's secret key; raise SettingsError where PostgreSQL is used without one.

    On SQLite a key of 256 bits is written once to `cloud-terminal.key` in the database's folder, mode 0600;
    processes that start together read the same one.
    """
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value().encode()
    url = settings.database_url.get_secret_value()
    if not url.startswith(SQLITE_SCHEME):
        raise SettingsError(
            f"{variable('secret_key')} is not set: with PostgreSQL all processes need the same key.\n"
            f"Type for example: export {variable('secret_key')}=$(openssl rand -hex 32)   (and keep it)"
        )
    path = Path(url.removeprefix(SQLITE_SCHEME).partition("?")[0]).parent / KEY_FILE
    if not path.exists():
        _make(path, random_bytes)
    return path.read_bytes()


def _make(path: Path, random_bytes: RandomBytes) -> None:
    make_private_folder(path.parent)
    key = random_bytes(32).hex().encode()
    draft = path.with_name(f".{KEY_FILE}.{os.getpid()}.{random_bytes(4).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    try:
        # A link appears whole or not at all, and never replaces the key that another process wrote first.
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


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
