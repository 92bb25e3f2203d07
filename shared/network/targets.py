"""The targets of our HTTP posts: parsing and checks of a URL, and of each address of its host."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import idna

from shared.network.hosts import EVERY_NETWORK, Address, Network, is_allowed

MAX_URL_LENGTH: Final = 2048

#: Scheme, host and port.
Origin = tuple[str, str, int]

_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
#: Control characters, blanks, and the backslash that some parsers of URLs take for a slash.
_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f-\xa0\\]")
_NETLOC: Final = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:]+))(?::(?P<port>[0-9]*))?")
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")


class TargetRefused(Exception):
    """The target is not allowed; no packet was sent. `reason` is a code, `text` a human-readable sentence.

    Neither contains the address of a name: a merchant must not learn our network's names in this way.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason: Final = reason
        self.text: Final = text


@dataclass(frozen=True, slots=True)
class Target:
    """A parsed URL: `host` in lower case and ASCII, an IPv6 address without its brackets."""

    scheme: str
    host: str
    port: int
    #: As sent in the request line; begins with `/`.
    path_and_query: str

    @property
    def authority(self) -> str:
        """The text of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def origin_of(url: str) -> Origin:
    """Return the origin that an operator's setting names. Raises TargetRefused."""
    target = AddressPolicy(EVERY_NETWORK, allow_http=True).check_url(url)
    return target.scheme, target.host, target.port


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """The allowed targets: public addresses over https, and those that the settings add."""

    allowed_networks: Sequence[Network] = ()
    allow_http: bool = False
    #: These may be at any address, and use plain http where their scheme is http.
    allowed_origins: frozenset[Origin] = frozenset()

    def check_url(self, url: str) -> Target:
        """Return the parsed URL; an address in it is checked at once, a name's addresses by `check_address`.

        Raises TargetRefused: length, characters, scheme, user_info, host, port, fragment, address.
        """
        if len(url) > MAX_URL_LENGTH:
            raise TargetRefused("length", f"The URL is longer than {MAX_URL_LENGTH} characters.")
        if _FORBIDDEN.search(url):
            raise TargetRefused("characters", "The URL contains a control character, a blank or a backslash.")
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise TargetRefused("host", "The URL's host cannot be read.") from error
        if parts.scheme not in _DEFAULT_PORTS:
            raise self._refused_scheme()
        host, given_port = _host_and_port(parts.netloc)
        port = given_port or _DEFAULT_PORTS[parts.scheme]
        is_allowed_origin = (parts.scheme, host, port) in self.allowed_origins
        if parts.scheme == "http" and not (self.allow_http or is_allowed_origin):
            raise self._refused_scheme()
        if parts.fragment:
            raise TargetRefused("fragment", "The URL has a fragment (#), which no server would ever see.")
        path_and_query = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if not path_and_query.isascii():
            raise TargetRefused("characters", "The URL's path and query must be percent-encoded.")
        target = Target(parts.scheme, host, port, path_and_query)
        address = literal(host)
        if address is not None:
            self.check_address(address, host, port)
        return target

    def check_address(self, address: Address, host: str, port: int) -> None:
        """Raise TargetRefused (address) unless this address of the host is public, in an allowed network, or
        an allowed origin's."""
        if is_allowed(address, self.allowed_networks):
            return
        if not any((scheme, host, port) in self.allowed_origins for scheme in _DEFAULT_PORTS):
            raise TargetRefused("address", "The URL's host leads to an address that is not public.")

    def _refused_scheme(self) -> TargetRefused:
        wanted = "https or http" if self.allow_http else "https"
        return TargetRefused("scheme", f"The URL's scheme must be {wanted}.")


def literal(host: str) -> Address | None:
    """Return the address that the host is in its usual spelling; None for names and for unusual spellings."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def _host_and_port(netloc: str) -> tuple[str, int | None]:
    if "@" in netloc:
        raise TargetRefused("user_info", "The URL contains a user name or a password.")
    found = _NETLOC.fullmatch(netloc)
    if found is None:
        raise TargetRefused("host", "The URL has no host, or one that cannot be read.")
    host = found["ipv6"] or _ascii_name(found["name"])
    if found["ipv6"] and literal(host) is None:
        raise TargetRefused("host", "The URL's host is not an IPv6 address.")
    port = int(found["port"][:6]) if found["port"] else None
    if port is not None and not 1 <= port <= 65535:
        raise TargetRefused("port", "The URL's port is not between 1 and 65535.")
    return host.lower(), port


def _ascii_name(name: str) -> str:
    """Return the name as the DNS has it, without the root's dot: certificates have none either."""
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise TargetRefused("host", "The URL's host is not a name of the DNS.") from error
    name = name.lower().removesuffix(".")
    if _NAME.fullmatch(name) is None:
        raise TargetRefused("host", "The URL's host is not a name of the DNS.")
    return name
