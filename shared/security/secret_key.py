"""The key for credential hashes and secrets at rest, from the settings or a file beside SQLite's database."""

import os
from pathlib import Path
from typing import Final

from shared.runtime.ids import RandomBytes
from shared.settings.fields import variable
from shared.settings.settings import Settings, SettingsError
from shared.storage.db.connections.private_files import make_private_folder

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
