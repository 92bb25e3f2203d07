"""A terminal's host in its canonical text, and its addresses: folded, public, fit for a terminal or not."""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

#: Some resolvers read a name with such a last label as a number (`127.1`, `0x7f.1`).
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_MAX_NAME_CHARACTERS: Final = 253
#: In any script; the conversion of a long text to ASCII is slow.
_MAX_TEXT_CHARACTERS: Final = 255


class HostRefused(Exception):
    """The text is not the host of a terminal; the message ends the sentence 'the host ...'."""


# An order asks twice, and a shop's orders name the same terminals.
@lru_cache(maxsize=4096)
def read_host(text: str) -> str:
    """Return the canonical text of the address that a packet ends at, or a lower-case ASCII name.

    A dot at a name's end is removed: both spellings are the same terminal. Raises HostRefused.
    """
    if len(text) > _MAX_TEXT_CHARACTERS:
        raise HostRefused(f"should NOT be longer than {_MAX_TEXT_CHARACTERS} characters")
    if any(character.isspace() for character in text):
        raise HostRefused("should NOT contain blanks")
    if "/" in text:
        raise HostRefused("should be a name or address alone, without scheme or path")
    if "%" in text:
        raise HostRefused("should NOT have a zone id")
    if ":" in text:
        return _read_ipv6(text)
    name = _ascii(text).removesuffix(".").lower()
    if _NUMBER.fullmatch(name.rpartition(".")[2]) is not None:
        return _read_ipv4(name)
    if len(name) > _MAX_NAME_CHARACTERS or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise HostRefused("should be a host name or an IP address")
    return name


def _read_ipv6(text: str) -> str:
    try:
        return str(folded(IPv6Address(text)))
    except ValueError:
        pass
    if text.startswith("["):
        raise HostRefused("should be an IPv6 address without brackets; the port is a field of its own")
    raise HostRefused("should be a name or address alone; the port is a field of its own")


def _read_ipv4(text: str) -> str:
    try:
        return str(IPv4Address(text))
    except ValueError:
        raise HostRefused("should be four decimal numbers without leading zeros, or a name") from None


def _ascii(text: str) -> str:
    """Return a name as the DNS has it: letters and digits of other scripts become ASCII."""
    if text.isascii():
        return text
    try:
        return text.encode("idna").decode("ascii")
    except UnicodeError:
        raise HostRefused("should be a host name or an IP address") from None


Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: IANA's special addresses. `ipaddress.is_global` differs for some of them between patch releases of Python.
_NOT_PUBLIC_IPV4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network; 0.0.0.0 connects to the machine itself
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carriers' address translation; holds the metadata address 100.100.100.200
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a public address on paper; on Azure's machines the host's own services
        "169.254.0.0/16",  # link-local; holds the metadata address 169.254.169.254
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; holds the metadata address 192.0.0.192
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays, out of use
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)

#: Outside: loopback, unique local (metadata address fd00:ec2::254), link-local, multicast, reserved.
_IPV6_UNICAST: Final = IPv6Network("2000::/3")

_NOT_PUBLIC_IPV6: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments; holds Teredo, benchmarks and ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, out of use
        "3fff::/20",  # documentation
    )
)

#: In place of a merchant's network: every public address.
PUBLIC: Final = "public"

#: For an address that an operator chose.
EVERY_NETWORK: Final = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))

_NAT64: Final = IPv6Network("64:ff9b::/96")
#: Addresses of a network's own NAT64.
_NAT64_OF_A_NETWORK: Final = IPv6Network("64:ff9b:1::/48")
_IPV4_COMPATIBLE: Final = IPv6Network("::/96")


def reached_by(address: Address) -> tuple[Address, ...]:
    """Return every address that a packet to this one may end at.

    A mapped address and one of NAT64 end at their IPv4 address alone; tunnels (6to4, Teredo) and the old
    IPv4-compatible form may end at themselves and at the IPv4 addresses in them.
    """
    if isinstance(address, IPv4Address):
        return (address,)
    last_32_bits = IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.ipv4_mapped is not None or address in _NAT64:
        return (last_32_bits,)
    if address in _IPV4_COMPATIBLE and int(address) > 1:
        return (address, last_32_bits)
    if address.sixtofour is not None:
        return (address, address.sixtofour)
    if address.teredo is not None:
        return (address, *address.teredo)
    return (address,)


def folded(address: Address) -> Address:
    """Return the one address, of all that reach a device, that is locked and connected to.

    A packet to a mapped, IPv4-compatible, NAT64 or tunnel address (6to4, Teredo) ends at the IPv4 address in
    it; a zone id (`%eth0`) chooses a route and no device.
    """
    if isinstance(address, IPv6Address):
        address = IPv6Address(int(address))
    return reached_by(address)[-1]


def is_drivable(address: Address) -> bool:
    """Return True if a folded address identifies one device.

    The unspecified address reaches this machine, which has another address already. The prefix of a NAT64
    that is used within one network hides the IPv4 address: only that network knows where it stands.
    """
    return not address.is_unspecified and address not in _NAT64_OF_A_NETWORK


def is_public(address: Address) -> bool:
    """Return True if the address, and each IPv4 address in it, is globally reachable unicast."""
    return is_allowed(address, ())


def is_allowed(address: Address, allowed: Iterable[Network]) -> bool:
    """Return True if every address that a packet may end at is public or in one of the allowed networks."""
    networks = tuple(allowed)
    return all(
        _is_public_itself(reached) or any(reached in network for network in networks)
        for reached in reached_by(address)
    )


def addresses_found(found: Iterable[tuple[Any, ...]]) -> tuple[Address, ...]:
    """Return the addresses in a result of `getaddrinfo`, in its order, each once.

    A scope (`%eth0`) is removed; it belongs to a link-local address, which is never public.
    """
    texts = (str(sockaddr[0]).partition("%")[0] for *_, sockaddr in found)
    return tuple(dict.fromkeys(ip_address(text) for text in texts))


def _is_public_itself(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_IPV4)
    return address in _IPV6_UNICAST and not any(address in network for network in _NOT_PUBLIC_IPV6)
