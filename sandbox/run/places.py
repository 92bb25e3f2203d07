"""Listening sockets of the sandbox's systems, one port each, and the URLs that lead to them."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sandbox.pages.render import NavLink
from sandbox.terminal.device.device import DEFAULT_PORT
from shared.runtime.serving import listen, port_of

LOOPBACK: Final = "127.0.0.1"
DEFAULT_BASE: Final = 8900
#: Behind the base port.
OFFSETS: Final[Mapping[str, int]] = {
    "screen": 0,
    "register": 1,
    "flow": 2,
    "console": 3,
    "merchant": 4,
    "preludd": 11,
    "nepting": 12,
    "acquirer": 13,
    "issuer": 14,
}
#: Systems with a page: its title in the navigation, and its description.
PAGES: Final[Mapping[str, tuple[str, str]]] = {
    "register": ("Register", "cash register: sell, pay, retry, cancel, unplug its network"),
    "screen": ("Terminal", "the terminal's screen: cards, PIN, scripts, remote collection"),
    "flow": ("Live flow", "every step of a payment as it happens"),
    "console": ("Console", "HiPay's back office: transactions, notifications, refunds"),
    "merchant": ("Merchant", "the merchant's server: notifications and webhooks that it received"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Wanted ports; 0 takes free ones."""

    base: int = DEFAULT_BASE
    terminal: int = DEFAULT_PORT

    def of(self, system: str) -> int:
        return self.base + OFFSETS[system] if self.base else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The open sockets, closed by `open_places` or by the server that got them."""

    #: Address on which they listen.
    host: str
    #: Host name of this machine for API and workers.
    called: str
    sockets: Mapping[str, socket.socket]
    #: The terminal opens its own socket.
    terminal_port: int

    def url(self, system: str) -> str:
        """Return the URL for browsers and for the sandbox's own systems, without a slash at its end."""
        return f"http://{LOOPBACK}:{port_of(self.sockets[system])}"

    def called_url(self, system: str) -> str:
        """Return the URL for API and workers."""
        return f"http://{self.called}:{port_of(self.sockets[system])}"

    def navigation(self, api_url: str) -> tuple[NavLink, ...]:
        """Return the links to all pages, and to the documents of the API at `api_url`."""
        pages = (NavLink(title, f"{self.url(system)}/") for system, (title, _) in PAGES.items())
        return (*pages, NavLink("API", f"{api_url}/docs"))


@contextmanager
def open_places(host: str, called: str, ports: Ports) -> Iterator[Places]:
    """Listen on all ports but the terminal's; close at the end. Raises SettingsError for one that is taken.

    host: 127.0.0.1, or 0.0.0.0 in a container, whose ports are published under the same numbers.
    """
    sockets: dict[str, socket.socket] = {}
    try:
        for system in OFFSETS:
            sockets[system] = listen(host, ports.of(system), setting="--port-base")
        yield Places(host=host, called=called, sockets=sockets, terminal_port=ports.terminal)
    finally:
        for opened in sockets.values():
            opened.close()
