"""The systems around us as the demo's child: terminal C, gateway and banks, HiPay, the merchant's server."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sandbox.demo.processes import Running, environment, until_logged
from sandbox.run.shop import Shop, keep_shop
from sandbox.servers.private.children import Child

TERMINAL: Final = "terminal C"
#: Holds the API's address; written when the shop is there, too.
API_FILE: Final = "api-url"
PORTS_LINE: Final = "ports are open"
READY_LINE: Final = "sandbox is running"
#: Imports all of them, hence not here.
_MODULE: Final = "sandbox.demo.partners_main"


class _HangingChild(Child):
    """A child that can stop to do anything, without being gone: callers' connections are open and silent."""

    def hang(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)


class Partners:
    """Starts them as one process, tells them who we are, knows where they are."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._child: _HangingChild | None = None
        self.running: Running | None = None
        #: By system, as `sandbox.run.places` names them; none ends in a slash.
        self.urls: dict[str, str] = {}
        #: Where the terminal listens.
        self.line = ""

    def launch(self) -> None:
        """Start the process. To be called in the main thread."""
        log = self._folder / "sandbox.log"
        self._child = _HangingChild(
            "sandbox",
            [sys.executable, "-m", _MODULE, str(self._folder)],
            environment=environment(self._folder),
            folder=self._folder,
            log=log,
            # The only one that also ends a process that hangs.
            death_signal=signal.SIGKILL,
        )
        self.running = Running(self._child.name, self._child, log)

    async def wait_listening(self) -> None:
        """Return when `urls` are known: callers may connect, and are served later. Raises StartFailed."""
        assert self.running is not None
        self.urls = dict((await until_logged(self.running, PORTS_LINE))["urls"])

    def introduce(self, shop: Shop, api_url: str) -> None:
        """Tell them who the merchant is, and where our API is."""
        keep_shop(shop, self._folder)
        draft = self._folder / f"{API_FILE}.new"
        draft.write_text(api_url, encoding="utf-8")
        draft.replace(self._folder / API_FILE)

    async def wait_ready(self) -> None:
        """Return when they serve, and our API knows terminal and webhook endpoint. Raises StartFailed."""
        assert self.running is not None
        self.line = str((await until_logged(self.running, READY_LINE))["terminal"])

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """While the block runs none of them does anything; their ports stay open."""
        assert self._child is not None
        self._child.hang()
        try:
            yield
        finally:
            self._child.go_on()
