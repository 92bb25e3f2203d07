"""What the parts of one virtual terminal share: its memory, its screen, and the ways out of it."""

from dataclasses import dataclass, field

from sandbox.terminal.device.changes import Changes
from sandbox.terminal.device.device import Device
from sandbox.terminal.device.screen import IDLE, Screen, Stage
from sandbox.terminal.device.transaction import Memory
from sandbox.terminal.gateway.link import Gateway
from sandbox.terminal.gateway.outbox import Outbox
from sandbox.terminal.trace_events import TraceEvents


@dataclass(slots=True, kw_only=True)
class TerminalState:
    """Changed by one event loop only."""

    device: Device
    hops: TraceEvents
    #: None: the terminal works alone, and plays the bank, too.
    gateway: Gateway | None
    outbox: Outbox
    #: The customer acts on the screen's page; else by itself, after the behaviour's delay.
    by_hand: bool = False
    #: `host:port`, as it tells its gateway.
    address: str = ""
    memory: Memory = field(default_factory=Memory)
    screen: Screen = IDLE
    changes: Changes = field(default_factory=Changes)

    @property
    def can_begin(self) -> bool:
        """Nothing is on the screen: no payment, no collection, no restart."""
        return self.screen.stage in (Stage.IDLE, Stage.ENDED)

    def show(self, screen: Screen) -> None:
        """Put this on the screen."""
        self.screen = screen
        self.changes.tell()
