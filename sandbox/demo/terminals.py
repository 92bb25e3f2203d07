"""Two virtual terminals, each at a loopback address of its own."""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.demo.processes import Running, environment, start, until
from sandbox.servers.errors import PortTaken
from sandbox.terminal.device.ledger import SessionRecord, read_ledger
from sandbox.terminal.server.server import DEFAULT_PORT

_TRIES: Final = 5
#: The amount that the bank refuses on the second terminal.
REFUSED_CENTS: Final = 1300


@dataclass(slots=True)
class DemoTerminal:
    """A running virtual terminal and its ledger."""

    name: str
    #: What it plays, as options of `cloud-terminal terminal`.
    options: tuple[str, ...]
    folder: Path
    host: str = ""
    running: Running | None = None
    port: int = DEFAULT_PORT

    @property
    def line(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def ledger(self) -> Path:
        return self.folder / f"{self.name.replace(' ', '-')}.ledger"

    def launch(self) -> None:
        """Start it on a loopback address that nobody else is likely to use."""
        parts = [random.randint(1, 254) for _ in range(3)]  # nosec B311 # an address, not a secret
        self.host = ".".join(("127", *map(str, parts)))
        arguments = ["terminal", "--host", self.host, "--port", str(self.port)]
        arguments += ["--record", str(self.ledger), *self.options]
        self.running = start(self.name, arguments, self.folder, environment(self.folder))

    async def wait_ready(self) -> None:
        """Return when it listens; another address is tried where one was taken. Raises StartFailed."""
        for attempt in range(1, _TRIES + 1):
            assert self.running is not None
            try:
                await until(self._is_listening, f"{self.name} listens", self.running)
            except PortTaken:
                if attempt == _TRIES:
                    raise
                self.launch()
            else:
                return

    async def _is_listening(self) -> bool | None:
        assert self.running is not None
        return True if "is listening" in self.running.log.read_text(encoding="utf-8") else None

    def sessions(self) -> list[SessionRecord]:
        """Return its ended sessions."""
        return read_ledger(self.ledger) if self.ledger.exists() else []


def demo_terminals(folder: Path) -> tuple[DemoTerminal, DemoTerminal]:
    """Return a terminal with a card reader and one for contactless cards, which refuses REFUSED_CENTS."""
    counter = DemoTerminal("terminal A", ("--delay", "0.8"), folder)
    refusal = ("--outcome-for", f"{REFUSED_CENTS}=refuse")
    terrace = DemoTerminal("terminal B", ("--delay", "0.4", "--contactless", *refusal), folder)
    return counter, terrace
