"""The sandbox's merchant: made in a real database, kept in a file, and the settings that lead to it."""

import os
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest
from databases import Store

from sandbox.run.shop import (
    SHOP_FILE,
    Shop,
    ShopUnreadable,
    keep_settings,
    keep_shop,
    kept_shop,
    make_shop,
    settings_for,
)
from shared.runtime.clock import SystemClock
from shared.security.credentials import CredentialKind, hash_secret
from shared.settings.settings import Settings
from shared.storage.terminals import merchants

KEY = "a key for tests, 32 characters long"
NETWORKS = ("127.0.0.0/8", "10.0.0.0/8")


async def shop_in(store: Store) -> Shop:
    settings = Settings.model_validate({"database_url": store.url, "secret_key": KEY})
    return await make_shop(settings, NETWORKS, clock=SystemClock(), random_bytes=os.urandom)


async def test_its_credentials_are_the_merchants_and_the_gateways(sqlite_store: Store) -> None:
    """The API authenticates each of them for its own kind."""
    shop = await shop_in(sqlite_store)

    database = sqlite_store.open()
    try:
        found = await merchants.credentials(database, [shop.username, shop.gateway_username])
    finally:
        await database.close()
    credential, gateway = found[shop.username], found[shop.gateway_username]
    assert (credential.kind, credential.merchant_id, credential.networks) == (
        CredentialKind.PRIVATE,
        shop.merchant_id,
        NETWORKS,
    )
    assert credential.secret_hash == hash_secret(KEY.encode(), shop.password)
    assert (gateway.kind, gateway.merchant_id) == (CredentialKind.GATEWAY, None)


async def test_a_kept_shop_is_readable_by_its_owner_alone(sqlite_store: Store, tmp_path: Path) -> None:
    """The file has every secret, and mode 0600."""
    shop = await shop_in(sqlite_store)

    assert kept_shop(tmp_path) is None
    keep_shop(shop, tmp_path)
    keep_shop(shop, tmp_path)

    assert kept_shop(tmp_path) == shop
    assert (tmp_path / SHOP_FILE).stat().st_mode & 0o777 == 0o600
    assert shop.password not in repr(shop)


def test_an_unreadable_file_is_an_error(tmp_path: Path) -> None:
    """No sandbox starts with half a shop."""
    (tmp_path / "shop.json").write_text('{"merchant_id": "mer_1"}')

    with pytest.raises(ShopUnreadable, match="Take another folder"):
        kept_shop(tmp_path)


def test_a_shell_reads_the_settings_and_they_are_settings(tmp_path: Path) -> None:
    """As the containers of API and notifier workers do at their start."""
    shop = Shop(**{one.name: f"{one.name} with 'quotes' & $signs" for one in fields(Shop)})
    keep_settings(settings_for(shop, "http://sandbox:8903", "http://sandbox:8904"), tmp_path)

    script = "set -a; . ./sandbox.env; exec /usr/bin/env -0"
    shown = subprocess.run(["sh", "-c", script], cwd=tmp_path, env={}, capture_output=True, check=True).stdout
    pairs = dict(line.split("=", 1) for line in shown.decode().split("\0") if "=" in line)

    assert pairs["CLOUD_TERMINAL_HIPAY_URL"] == "http://sandbox:8903/orders"
    assert pairs["CLOUD_TERMINAL_HIPAY_SIGNING_SECRET"] == shop.hipay_signing_secret
    assert pairs["CLOUD_TERMINAL_NOTIFY_ALLOWED_ORIGINS"] == '["http://sandbox:8903", "http://sandbox:8904"]'
    assert not any(name in pairs for name in ("CLOUD_TERMINAL_NOTIFY_ALLOW_HTTP", "..._ALLOWED_NETWORKS"))
