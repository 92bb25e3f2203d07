"""`python -m sandbox.demo.partners_main FOLDER`: the sandbox's systems as one process of the demo.

Their ports are open, and logged, before any process of ours needs them; they begin to serve when the demo has
written to the folder who the merchant is and where the API listens.
"""

import asyncio
import sys
import time
from pathlib import Path
from typing import Final

import structlog

from sandbox.demo.partners import API_FILE, PORTS_LINE, READY_LINE
from sandbox.main import TerminalSetup, running_sandbox
from sandbox.run.places import LOOPBACK, OFFSETS, Places, Ports, open_places
from sandbox.run.shop import Shop, kept_shop
from sandbox.servers.private.children import POLL_SECONDS
from shared.runtime.logging import configure_logging
from shared.runtime.stopping import until_stopped

#: From the amount on the screen to the customer's card.
CUSTOMER_SECONDS: Final = 0.4


def main() -> None:
    """Serve until SIGTERM."""
    configure_logging("json", "info", process="sandbox")
    with open_places(LOOPBACK, LOOPBACK, Ports(base=0, terminal=0)) as places:
        urls = {system: places.url(system) for system in OFFSETS}
        structlog.get_logger().info(PORTS_LINE, urls=urls)
        folder = Path(sys.argv[1])
        api_url = _introduced(folder / API_FILE)
        shop = kept_shop(folder)
        assert shop is not None, "it is written before the API's address"
        asyncio.run(_serve(places, shop, api_url))


async def _serve(places: Places, shop: Shop, api_url: str) -> None:
    setup = TerminalSetup(delay_seconds=CUSTOMER_SECONDS)
    async with until_stopped() as stopped, running_sandbox(places, shop, api_url, setup) as terminal:
        structlog.get_logger().info(READY_LINE, terminal=terminal.address)
        await stopped.wait()


def _introduced(file: Path) -> str:
    while not file.exists():
        time.sleep(POLL_SECONDS)
    return file.read_text(encoding="utf-8")


if __name__ == "__main__":
    main()
