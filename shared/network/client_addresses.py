"""Clients told apart by their addresses."""

import ipaddress
from collections.abc import Sequence
from typing import Final

from shared.network.public_addresses import Network

#: Of a text that is no address; a proxy that passes on what its client says lets anything through.
_TEXT_LENGTH: Final = 64


def counted_as(host: str | None, exempt: Sequence[Network]) -> str | None:
    """Return the name under which a client's address is counted; None: it is not counted.

    `exempt` are proxies, which stand for many clients. A site has a whole /64 of IPv6.
    """
    if host is None:
        return None
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host[:_TEXT_LENGTH]
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    if any(address in network for network in exempt):
        return None
    return str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))
