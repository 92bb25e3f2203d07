"""The sandbox's systems as one process, beside an API that runs elsewhere."""

import asyncio
import signal
from collections.abc import Callable, Mapping
from typing import Final

from sandbox.main import TerminalSetup, running_sandbox
from sandbox.run.installation import entry_of
from sandbox.run.places import Ports, open_places
from sandbox.run.shop import Shop

_END_SECONDS: Final = 10.0


async def serve_alone(
    host: str,
    called: str,
    ports: Ports,
    shop: Shop,
    api_url: str,
    setup: TerminalSetup,
    on_ready: Callable[[Mapping[str, str]], None],
    *,
    shown_api_url: str,
    shown_host: str,
) -> None:
    """Wait for the API, then serve until SIGTERM or SIGINT. Raises SettingsError, ApiAnswered.

    shown_api_url, shown_host: addresses of API and terminal as `on_ready` gets them, to be printed.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)

    async def serve() -> None:
        with open_places(host, called, ports) as places:
            async with running_sandbox(
                places, shop, api_url, setup, shown_host=shown_host, shown_api_url=shown_api_url
            ) as terminals:
                addresses = [f"{shown_host}:{terminal.port}" for terminal in terminals]
                on_ready(entry_of(places, shop, shown_api_url, addresses))
                await stopped.wait()

    serving, stopping = asyncio.create_task(serve()), asyncio.create_task(stopped.wait())
    await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    done, _ = await asyncio.wait([serving], timeout=_END_SECONDS)
    if not done:
        # Still waiting for the API.
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        return
    serving.result()
