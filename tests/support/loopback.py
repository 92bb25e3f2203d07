"""Loopback addresses for terminals, so that parallel tests never share one."""

import itertools
import os

_numbers = itertools.count(1)


def terminal_host() -> str:
    """Return an address that no other test of this run uses: port 8888 is free there."""
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    high, low = divmod(next(_numbers), 250)
    return f"127.{100 + process}.{high}.{low + 1}"
