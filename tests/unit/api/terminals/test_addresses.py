"""Terminal addresses that a merchant may use: every address of the host is checked before any packet."""

from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from api.terminals.targets import OutsideNetworks, TerminalAddressFinder
from shared.network.hosts import PUBLIC, Address


async def address_of(host: str, *networks: str, names: Sequence[str] = ()) -> str | None:
    async def lookup(_host: str) -> Sequence[Address]:
        return [ip_address(name) for name in names]

    return await TerminalAddressFinder(lookup, timeout_seconds=5).find(host, 8888, networks)


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.1",
        "127.0.0.1",
        "::1",
        "169.254.169.254",
        "168.63.129.16",  # a cloud's own services
        "192.88.99.1",
        "224.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",  # 10.0.0.1 behind NAT64
        "2002:a00:1::",  # 10.0.0.1 through 6to4
        "ff0e::1",
    ],
)
async def test_public_means_public_addresses_only(host: str) -> None:
    """In every spelling, and for every address that is folded."""
    with pytest.raises(OutsideNetworks):
        await address_of(host, PUBLIC)


async def test_public_addresses_are_driven_where_public_is_named() -> None:
    """The canonical text is the terminal address."""
    assert await address_of("8.8.8.8", PUBLIC) == "8.8.8.8:8888"
    assert await address_of("::ffff:8.8.8.8", PUBLIC) == "8.8.8.8:8888"
    assert await address_of("2606:4700:0:0::1", "10.0.0.0/8", PUBLIC) == "[2606:4700::1]:8888"
    assert await address_of("10.1.2.3", "10.0.0.0/8", PUBLIC) == "10.1.2.3:8888"


@pytest.mark.parametrize("host", ["8.8.8.8", "2606:4700::1", "10.0.0.1", "127.0.0.1"])
async def test_without_networks_nothing_is_driven(host: str) -> None:
    """The default of a new merchant allows no terminal."""
    with pytest.raises(OutsideNetworks):
        await address_of(host)


async def test_networks_open_private_addresses_and_nothing_else() -> None:
    """A public address outside of them is refused, too."""
    assert await address_of("10.20.3.4", "10.20.0.0/16", "fd00::/8") == "10.20.3.4:8888"
    for host in ("10.21.0.1", "8.8.8.8", "::1"):
        with pytest.raises(OutsideNetworks):
            await address_of(host, "10.20.0.0/16", "fd00::/8")


async def test_one_address_outside_refuses_the_name() -> None:
    """Otherwise the owner of the name could choose the address afterwards."""
    assert await address_of("till", PUBLIC, names=["8.8.8.8", "8.8.4.4"]) == "8.8.4.4:8888"
    with pytest.raises(OutsideNetworks):
        await address_of("till", PUBLIC, names=["8.8.8.8", "10.0.0.1"])
    assert await address_of("till", PUBLIC) is None


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.9",
        "::ffff:127.0.0.9",
        "::127.0.0.9",
        "64:ff9b::127.0.0.9",
        "2002:7f00:9::",
        "2002:7f00:9:1::99",
        "2001:0:7f00:1::80ff:fff6",  # Teredo: the client's address, inverted
    ],
)
async def test_every_spelling_of_a_device_is_one_terminal_address(host: str) -> None:
    """As an address, or looked up for a name: the locked address is the one that is connected to."""
    assert await address_of(host, "127.0.0.0/8") == "127.0.0.9:8888"
    assert await address_of("till", "127.0.0.0/8", names=[host]) == "127.0.0.9:8888"


async def test_a_zone_makes_no_other_terminal_address() -> None:
    """A zone chooses an interface of this machine, not a device."""
    assert await address_of("till", "::/0", names=["::1%99"]) == "[::1]:8888"
    assert await address_of("fe80::7%eth0", "::/0") == "[fe80::7]:8888"


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "::ffff:0.0.0.0", "64:ff9b:1::127.0.0.9", "64:ff9b:1:7::9"]
)
async def test_addresses_that_stand_for_no_one_device_are_refused(host: str) -> None:
    """This machine by another name, and a network's own NAT64, for any allowed networks."""
    with pytest.raises(OutsideNetworks):
        await address_of(host, "0.0.0.0/0", "::/0")
