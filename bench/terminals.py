"""Terminals for the benchmark: `python -m bench.terminals SECONDS HOST ...`, port 8888 of each address.

They answer after the given seconds and close at once, so that the system's own time is measured.
"""

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from typing import Final

import uvloop

from sandbox.terminal.device.device import DEFAULT_PORT, Device
from sandbox.terminal.script.behaviour import Behaviour
from sandbox.terminal.server.server import VirtualTerminal

#: The line of the log that says that all terminals can be reached.
LISTENING_LINE: Final = "terminals are listening"


async def play(hosts: list[str], think_seconds: float) -> None:
    """Listen on every address until the process ends."""
    async with AsyncExitStack() as stack:
        for host in hosts:
            terminal = VirtualTerminal(
                host,
                DEFAULT_PORT,
                behaviour=Behaviour(delay_seconds=think_seconds),
                device=Device(request_idle_seconds=0),
            )
            await stack.enter_async_context(terminal)
        print(json.dumps({"event": LISTENING_LINE}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(play(sys.argv[2:], float(sys.argv[1])))
