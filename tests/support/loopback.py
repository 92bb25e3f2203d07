"""Loopback addresses for terminals, so that tests that run at the same time never share one."""

import itertools
import os
import socket

_PORT = 8888
_numbers = itertools.count(os.getpid() % 200)


def terminal_host() -> str:
    """Return an address whose port 8888 is free, and that no other test of this run uses."""
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        high, low = divmod(next(_numbers), 250)
        host = f"127.{100 + process}.{high}.{low + 1}"
        if _is_free(host):
            return host


def _is_free(host: str) -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, _PORT))
        except OSError:
            return False  # another run's: a developer's own, or the same tests in another checkout
        return True
