"""Listening sockets of the sandbox's systems, one port each, and the URLs that lead to them."""

import socket
from collections.abc import Iterator, Mapping, Sequence
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
#: Screens of further terminals are between the pages and the gateway: there is room for six.
_FIRST_OF_FURTHER_SCREENS: Final = 5
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
    #: Of the first terminal; the others have the next ones.
    terminal: int = DEFAULT_PORT
    #: Number of terminals.
    terminals: int = 1

    @property
    def offsets(self) -> dict[str, int]:
        """Return the ports behind the base port by system, one screen for each terminal."""
        further = {
            screen_of(place): _FIRST_OF_FURTHER_SCREENS + place - 1 for place in range(1, self.terminals)
        }
        return {**OFFSETS, **further}

    def of(self, system: str) -> int:
        return self.base + self.offsets[system] if self.base else 0

    def of_terminal(self, place: int) -> int:
        """Return the port of a terminal, counted from 0."""
        return self.terminal + place if self.terminal else 0


def screen_of(place: int) -> str:
    """Return the system that is the screen of a terminal, counted from 0."""
    return "screen" if place == 0 else f"screen_{place + 1}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The open sockets, closed by `open_places` or by the server that got them."""

    #: Address on which they listen.
    host: str
    #: Host name of this machine for API and workers.
    called: str
    sockets: Mapping[str, socket.socket]
    #: The terminals open their own sockets.
    terminal_ports: Sequence[int]

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
    """Listen on all ports but the terminals'; close at the end. Raises SettingsError for one that is taken.

    host: 127.0.0.1, or 0.0.0.0 in a container, whose ports are published under the same numbers.
    """
    sockets: dict[str, socket.socket] = {}
    try:
        for system in ports.offsets:
            sockets[system] = listen(host, ports.of(system), setting="--port-base")
        terminal_ports = [ports.of_terminal(place) for place in range(ports.terminals)]
        yield Places(host=host, called=called, sockets=sockets, terminal_ports=terminal_ports)
    finally:
        for opened in sockets.values():
            opened.close()
