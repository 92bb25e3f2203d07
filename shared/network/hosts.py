"""The canonical text of a terminal's host, the same for orders, registered terminals and their import."""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from shared.network.public_addresses import folded

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
