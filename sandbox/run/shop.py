"""The sandbox's merchant: its credentials, and the secrets that HiPay's stand-in shares with others.

Made once in an installation's database, and kept in a file where the sandbox is started again.
"""

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Final

from shared.runtime.clock import Clock
from shared.runtime.ids import RandomBytes, new_credential_id, new_merchant_id
from shared.security.credentials import CredentialKind, hash_secret, new_secret, new_webhook_secret
from shared.security.secret_key import load_secret_key
from shared.settings.fields import variable
from shared.settings.settings import Settings
from shared.storage.administration import credential_register, merchant_register
from shared.storage.administration.audit_trail import Actor
from shared.storage.administration.credential_register import NewCredential
from shared.storage.administration.merchant_register import MerchantSettings
from shared.storage.db.opening import opened_database

SHOP_NAME: Final = "Boulangerie du Canal"
SHOP_FILE: Final = "shop.json"
#: Settings of API and workers that lead to the sandbox, as shell variables.
SETTINGS_FILE: Final = "sandbox.env"
HIPAY_USERNAME: Final = "cloud-terminal"


class ShopUnreadable(Exception):
    """Raised for a kept file that this release cannot read; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """Credentials and secrets by which the sandbox's systems authenticate each other."""

    merchant_id: str
    #: The cash register's credential at our API.
    username: str
    password: str = field(repr=False)
    #: HiPay's credential at our API, for evidence.
    gateway_username: str
    gateway_password: str = field(repr=False)
    #: The product's credential at HiPay, and the key that signs its order notifications.
    hipay_username: str
    hipay_password: str = field(repr=False)
    hipay_signing_secret: str = field(repr=False)
    #: Signs HiPay's notifications to the merchant.
    passphrase: str = field(repr=False)


async def make_shop(
    settings: Settings, networks: Sequence[str], *, clock: Clock, random_bytes: RandomBytes
) -> Shop:
    """Create merchant and credentials in a migrated database; `networks` (CIDR) hold its terminals.

    Raises DatabaseUnavailable, CommitUnknown, SchemaTooOld, SettingsError.
    """
    merchant_id = new_merchant_id(clock, random_bytes)
    key = load_secret_key(settings, random_bytes)
    pairs = [(new_credential_id(random_bytes), new_secret(random_bytes)) for _ in range(2)]
    (username, password), (gateway_username, gateway_password) = pairs
    async with opened_database(settings) as database:
        actor = Actor("sandbox")
        shop = MerchantSettings(name=SHOP_NAME, networks=tuple(networks))
        await merchant_register.create(database, merchant_id, shop, actor)
        for name, secret, kind, owner in (
            (username, password, CredentialKind.PRIVATE, merchant_id),
            (gateway_username, gateway_password, CredentialKind.GATEWAY, None),
        ):
            new = NewCredential(
                id=name, kind=kind, secret_hash=hash_secret(key, secret), merchant_id=owner, label="sandbox"
            )
            await credential_register.create(database, new, actor)
    return Shop(
        merchant_id=merchant_id,
        username=username,
        password=password,
        gateway_username=gateway_username,
        gateway_password=gateway_password,
        hipay_username=HIPAY_USERNAME,
        hipay_password=new_secret(random_bytes),
        hipay_signing_secret=new_webhook_secret(random_bytes),
        passphrase=new_secret(random_bytes),
    )


def keep_shop(shop: Shop, folder: Path) -> None:
    """Write the shop's file, readable by its owner alone."""
    _write(folder / SHOP_FILE, json.dumps(asdict(shop), indent=1))


def kept_shop(folder: Path) -> Shop | None:
    """Return what `keep_shop` wrote, or None. Raises ShopUnreadable."""
    path = folder / SHOP_FILE
    if not path.exists():
        return None
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return Shop(**{one.name: str(kept[one.name]) for one in fields(Shop)})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ShopUnreadable(f"{path} cannot be used: {error!r}. Take another folder.") from error


def settings_for(shop: Shop, hipay_url: str, merchant_url: str) -> dict[str, str]:
    """Return the settings, by field name, with which API and workers reach the sandbox over plain HTTP.

    hipay_url, merchant_url: the only two origins that are allowed in private networks.
    """
    return {
        "hipay_url": f"{hipay_url}/orders",
        "hipay_username": shop.hipay_username,
        "hipay_password": shop.hipay_password,
        "hipay_signing_secret": shop.hipay_signing_secret,
        "notify_allowed_origins": json.dumps([hipay_url, merchant_url]),
    }


def keep_settings(settings: Mapping[str, str], folder: Path) -> None:
    """Write settings by field name as a file that a shell reads (`set -a; . sandbox.env`)."""
    lines = [f"{variable(name)}={shlex.quote(value)}\n" for name, value in settings.items()]
    _write(folder / SETTINGS_FILE, "".join(lines))


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)
