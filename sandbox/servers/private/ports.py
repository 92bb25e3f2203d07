"""Choice of free ports on loopback."""

import itertools
import random
import socket
from pathlib import Path

from sandbox.servers.errors import StartFailed

LOWEST_PORT = 15_000  # above the well-known servers a developer's machine may start later


def free_ports(count: int) -> list[int]:
    """Return that many different ports that nobody listens on at 127.0.0.1.

    They lie below the kernel's ephemeral range, so no client gets one as its source port meanwhile. Another
    process may still take one before the server listens, so callers retry on `PortTaken`.
    """
    candidates = list(range(LOWEST_PORT, _first_ephemeral_port()))
    random.shuffle(candidates)
    chosen = list(itertools.islice(filter(_is_free, candidates), count))
    if len(chosen) < count:
        raise StartFailed(f"no {count} free ports from {LOWEST_PORT} on at 127.0.0.1")
    return chosen


def _first_ephemeral_port() -> int:
    setting = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first = int(setting.read_text().split()[0]) if setting.exists() else 0
    # Where nearly all ports are ephemeral there is no room below them, and a collision is possible.
    return first if first > LOWEST_PORT + 1_000 else 32_768


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
