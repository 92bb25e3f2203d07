"""Virtual terminals of a shop, each at an address of its own."""

from typing import Any

from loopback import terminal_host

from sandbox.terminal.device.device import Device
from sandbox.terminal.script.behaviour import Behaviour
from sandbox.terminal.server.server import VirtualTerminal

#: Takes a request as soon as it is whole.
PROMPT = Device(request_idle_seconds=0)


def shop_terminal(behaviour: Behaviour | None = None, **options: Any) -> VirtualTerminal:
    """Return a prompt terminal on port 8888 of a loopback address that no other test uses."""
    return VirtualTerminal(terminal_host(), behaviour=behaviour, **{"device": PROMPT, **options})
