"""Terminals for the benchmark: `python -m bench.terminals HOST ...` plays one on port 8888 of each address.

They answer at once and close right after their answer, so that what is measured is ours.
"""

import asyncio
import sys
from contextlib import AsyncExitStack

import uvloop

from sandbox.terminal.behaviour import Behaviour
from sandbox.terminal.device import Device
from sandbox.terminal.server import DEFAULT_PORT, VirtualTerminal


async def play(hosts: list[str]) -> None:
    """Listen on every address until the process ends."""
    async with AsyncExitStack() as stack:
        for host in hosts:
            terminal = VirtualTerminal(
                host, DEFAULT_PORT, behaviour=Behaviour(), device=Device(request_idle_seconds=0)
            )
            await stack.enter_async_context(terminal)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(play(sys.argv[1:]))
