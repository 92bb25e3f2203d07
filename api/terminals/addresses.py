"""Finder of the terminal address of a host: looks it up once, folds and checks every address.

The lowest one is the terminal's. The worker connects to that literal address only: nothing is looked up a
second time, and two names or spellings of one terminal have the same terminal address.
"""

import asyncio
import ipaddress
from collections.abc import Iterable, Sequence
from typing import Final

from shared.network.dns import Lookup
from shared.network.public_addresses import PUBLIC, Address, folded, is_drivable, is_public


class OutsideNetworks(Exception):
    """One of the host's addresses is outside the merchant's allowed networks; no packet was sent.

    `terminal_address` is the host's, if it is known.
    """

    def __init__(self, address: str, terminal_address: str | None = None) -> None:
        super().__init__(address)
        self.terminal_address: Final = terminal_address


class TerminalAddressFinder:
    """Finds the terminal address of a host and port, within a merchant's allowed networks."""

    def __init__(self, lookup: Lookup, timeout_seconds: float) -> None:
        self._lookup: Final = lookup
        self._timeout_seconds: Final = timeout_seconds

    async def find(self, host: str, port: int, networks: Sequence[str]) -> str | None:
        """Return `address:port` in canonical text (IPv6 in brackets), or None where the host has no address.

        `host` is as `read_host` returns it. `networks` are CIDR texts, or `public` for every public address.
        Raises OutsideNetworks.
        """
        addresses = await self._addresses(host)
        if not addresses:
            return None
        lowest = min(addresses, key=lambda address: (address.version, int(address)))
        terminal_address = f"[{lowest}]:{port}" if lowest.version == 6 else f"{lowest}:{port}"
        try:
            check_allowed(addresses, networks)
        except OutsideNetworks as error:
            raise OutsideNetworks(str(error), terminal_address) from error
        return terminal_address

    async def _addresses(self, host: str) -> set[Address]:
        try:
            return {folded(ipaddress.ip_address(host))}
        except ValueError:
            pass
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return {folded(address) for address in await self._lookup(host)}
        except (OSError, UnicodeError):  # no such name, no answer in time, no name at all
            return set()


def check_allowed(addresses: Iterable[Address], networks: Sequence[str]) -> None:
    """Raise OutsideNetworks unless every address is inside a network, or public where `public` is given.

    A merchant drives nothing outside of its networks, and without any it drives nothing.
    """
    allowed = [ipaddress.ip_network(network) for network in networks if network != PUBLIC]
    for address in addresses:
        inside = any(address in network for network in allowed)
        if not inside and not (PUBLIC in networks and is_public(address)):
            raise OutsideNetworks(str(address))
        if not is_drivable(address):
            raise OutsideNetworks(str(address))
