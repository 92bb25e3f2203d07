"""One reading of a terminal's host, for orders, the registry and its import: one terminal, one text."""

import re
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from shared.network.public_addresses import folded

#: A name whose last label is one of these would be read as a number by some resolvers (`127.1`, `0x7f.1`).
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_LONGEST_NAME: Final = 253
#: Of whatever script; turning a long text into ASCII takes its time.
_LONGEST_TEXT: Final = 255


class HostRefused(Exception):
    """The text is not the host of a terminal; the message ends the sentence 'the host ...'."""


def read_host(text: str) -> str:
    """Return an address in canonical text, folded to what it reaches, or a lower-case ASCII name.

    A dot at a name's end is left out: both spellings are the same terminal. Raises HostRefused.
    """
    if len(text) > _LONGEST_TEXT:
        raise HostRefused(f"should NOT be longer than {_LONGEST_TEXT} characters")
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
    if len(name) > _LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in name.split(".")):
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
    """Return a name as the resolver asks for it: letters and digits of other scripts become ASCII."""
    if text.isascii():
        return text
    try:
        return text.encode("idna").decode("ascii")
    except UnicodeError:
        raise HostRefused("should be a host name or an IP address") from None
