"""The installation's secret key."""

import os
import stat
from pathlib import Path

import pytest

from shared.security.secret_key import load_secret_key
from shared.settings.load import load_settings
from shared.settings.settings import SettingsError


def test_on_sqlite_the_key_is_created_once_beside_the_database(tmp_path: Path) -> None:
    """Every later start of any process reads the same one; its mode is 0600."""
    settings = load_settings(database_url=f"sqlite+aiosqlite:///{tmp_path}/data/shop.db")

    first = load_secret_key(settings, os.urandom)

    assert load_secret_key(settings, os.urandom) == first
    assert len(first) == 64
    [file] = (tmp_path / "data").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_on_postgresql_a_start_without_a_key_says_what_to_type() -> None:
    """Several machines cannot share a created key."""
    settings = load_settings(database_url="postgresql+asyncpg://db/shop")

    with pytest.raises(SettingsError, match="export CLOUD_TERMINAL_SECRET_KEY="):
        load_secret_key(settings, os.urandom)


def test_a_given_key_is_used_as_it_is(tmp_path: Path) -> None:
    """No file is created."""
    url = f"sqlite+aiosqlite:///{tmp_path}/shop.db"

    assert load_secret_key(load_settings(database_url=url, secret_key="k" * 32), os.urandom) == b"k" * 32
    assert list(tmp_path.iterdir()) == []
