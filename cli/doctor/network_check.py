"""Checks of places in the network: names, routes and ports."""

import asyncio
import contextlib
import os
import socket
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from cli.doctor.finding import Finding, Findings, Level

if TYPE_CHECKING:
    pass

PART: Final = "terminal"
CONNECT_SECONDS: Final = 5.0
TERMINAL_PORT: Final = 8888


async def check_terminal(place: str) -> Findings:
    """Yield whether a terminal accepts a connection; nothing is sent on it."""
    host, port = read_place(place)
    fix = "Switch it on, and look at cable, network, firewall and its Concert port."
    yield await _check_place(PART, host, port, fix)


def read_place(place: str) -> tuple[str, int]:
    """Return host and port of `HOST`, `HOST:PORT` or `[IPV6]:PORT`; raise ValueError."""
    if place.count(":") > 1 and not place.startswith("["):
        return place, TERMINAL_PORT
    parts = urlsplit(f"//{place}")
    if not parts.hostname:
        raise ValueError(place)
    return parts.hostname, parts.port or TERMINAL_PORT


async def _check_place(part: str, host: str, port: int, fix: str) -> Finding:
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except socket.gaierror:
        return Finding(
            part, Level.PROBLEM, f"The name {host} has no address.", "Correct the name, or the DNS."
        )
    except TimeoutError:
        fact = f"{host}:{port} does not answer within {CONNECT_SECONDS:g} s."
        return Finding(part, Level.PROBLEM, fact, fix)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        return Finding(part, Level.PROBLEM, f"{host}:{port}: {reason}.", fix)
    address = writer.get_extra_info("peername")[0]
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return Finding(part, Level.OK, f"{host}:{port} accepts connections ({address}).")
