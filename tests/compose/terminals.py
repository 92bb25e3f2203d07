"""Terminals of a test in one container, each on a port of its own, with a record of every session in /tmp."""

import asyncio
import contextlib
from pathlib import Path
from typing import Final

from sandbox.terminal.device.device import Device
from sandbox.terminal.script.behaviour import Behaviour
from sandbox.terminal.server.server import VirtualTerminal

PORTS: Final = range(9001, 9021)
CUSTOMER_SECONDS: Final = 1.0


async def main() -> None:
    async with contextlib.AsyncExitStack() as stack:
        for port in PORTS:
            terminal = VirtualTerminal(
                "0.0.0.0",
                port,
                behaviour=Behaviour(delay_seconds=CUSTOMER_SECONDS),
                device=Device(request_idle_seconds=0),
                record_path=Path(f"/tmp/{port}.jsonl"),
            )
            await stack.enter_async_context(terminal)
        # The health check looks for it.
        await asyncio.to_thread(Path("/tmp/listening").touch)
        await asyncio.Event().wait()


asyncio.run(main())
