"""Root of these tests: the command line on a machine whose name servers are half dead.

`python -m tests.hostile.dead_names api` is `python -m cli api`, but for two families of host names: one below
`.shop.example` has the loopback address that it spells (`127-0-0-9.shop.example`), at once; for one below
`.dead.example` the system waits as for servers that never answer, and then says so.
"""

import socket
import time
from typing import Any, Final

from cli.main import main

DEAD: Final = ".dead.example"
SHOP: Final = ".shop.example"
#: The usual two tries of five seconds.
DEAD_SECONDS: Final = 10.0

_ask = socket.getaddrinfo


def name_of(address: str) -> str:
    """Return the name that has this address."""
    return address.replace(".", "-") + SHOP


def _answer(host: Any, *arguments: Any, **named: Any) -> Any:
    if isinstance(host, str) and host.endswith(DEAD):
        time.sleep(DEAD_SECONDS)
        raise socket.gaierror(socket.EAI_AGAIN, "no name server answered")
    if isinstance(host, str) and host.endswith(SHOP):
        host = host.removesuffix(SHOP).replace("-", ".")
    return _ask(host, *arguments, **named)


if __name__ == "__main__":
    socket.getaddrinfo = _answer
    main()
