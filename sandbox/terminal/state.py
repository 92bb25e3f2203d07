"""Common state of a virtual terminal's parts: its memory, its screen, its gateway."""

from dataclasses import dataclass, field

from sandbox.pages.app import Changes
from sandbox.terminal.device.device import Device
from sandbox.terminal.device.screen import IDLE, Screen, Stage
from sandbox.terminal.device.transaction import Memory
from sandbox.terminal.gateway.link import CompletionQueue, Gateway
from sandbox.terminal.trace_events import TraceEvents


@dataclass(slots=True, kw_only=True)
class TerminalState:
    """The state of one terminal, changed by one event loop only."""

    device: Device
    trace_events: TraceEvents
    #: None: the terminal acts as the bank itself.
    gateway: Gateway | None
    completions: CompletionQueue
    #: Somebody acts as the customer on the page; else it acts by itself, after the behaviour's delay.
    by_hand: bool = False
    #: `host:port`, sent to the gateway.
    address: str = ""
    memory: Memory = field(default_factory=Memory)
    screen: Screen = IDLE
    changes: Changes = field(default_factory=Changes)

    @property
    def can_begin(self) -> bool:
        """Return whether the screen is free: no payment, no collection, no restart."""
        return self.screen.stage in (Stage.IDLE, Stage.ENDED)

    def show(self, screen: Screen) -> None:
        """Change the screen and notify its followers."""
        self.screen = screen
        self.changes.notify()
