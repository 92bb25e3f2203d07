"""Clients counted by address: the key that counts one, and the connections without a log-in of each."""

import ipaddress
from collections import Counter
from collections.abc import Sequence
from typing import Final

from shared.network.hosts import Network

#: For a text that is no address: a proxy that passes on what its client sends lets anything through.
_KEY_CHARACTERS: Final = 64


class TooManyConnections(Exception):
    """An address has reached its limit of connections without a log-in."""


class UnauthenticatedConnections:
    """The number of connections of each address on which nobody has logged in yet."""

    def __init__(self, limit: int, exempt: Sequence[Network]) -> None:
        """`exempt` are proxies, which stand for many clients."""
        self._limit: Final = limit
        self._exempt: Final = tuple(exempt)
        self._counts: Final[Counter[str]] = Counter()

    def add(self, host: str | None) -> str | None:
        """Count a connection; return the key to remove it by, None if it is exempt. Raises
        TooManyConnections."""
        key = counting_key(host, self._exempt)
        if key is None:
            return None
        if self._counts[key] >= self._limit:
            raise TooManyConnections
        self._counts[key] += 1
        return key

    def remove(self, key: str) -> None:
        self._counts[key] -= 1
        if self._counts[key] <= 0:
            del self._counts[key]


def counting_key(host: str | None, exempt: Sequence[Network]) -> str | None:
    """Return the key under which a client's address is counted; None: it is not counted.

    `exempt` are proxies, which stand for many clients. A site has a whole /64 of IPv6.
    """
    if host is None:
        return None
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host[:_KEY_CHARACTERS]
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    if any(address in network for network in exempt):
        return None
    return str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))
