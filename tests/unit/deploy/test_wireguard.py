"""The two examples of WireGuard fit each other; `make wireguard` pays through them."""

import re
from ipaddress import ip_interface, ip_network
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[3] / "deploy" / "wireguard"


def values(side: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+) = (\S+)$", (FOLDER / f"{side}.conf").read_text(), re.MULTILINE))


def test_hub_and_shop_let_each_other_in_and_nobody_else() -> None:
    hub, shop = values("hub"), values("shop")

    assert ip_network(shop["AllowedIPs"]) == ip_interface(hub["Address"]).network
    assert ip_interface(shop["Address"]).ip in ip_network(hub["AllowedIPs"])
    assert ip_network(hub["AllowedIPs"]).prefixlen >= 28
    assert shop["Endpoint"].endswith(":" + hub["ListenPort"])
    assert "Endpoint" not in hub
    assert int(shop["PersistentKeepalive"]) <= 25


def test_no_key_is_in_an_example() -> None:
    assert {values(side)["PrivateKey"] for side in ("hub", "shop")} == {"HUB_PRIVATE_KEY", "SHOP_PRIVATE_KEY"}
