"""A private server of either kind: wait until it is ready, on other ports if need be; kill it, stop it."""

import signal
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from sandbox.servers.external import wait_until
from sandbox.servers.private.children import Child
from sandbox.servers.server import PortTaken, say

START_ATTEMPTS = 3
STOP_SECONDS = 20.0


class PrivateServer(ABC):
    """A server of one's own in a temporary folder; a subclass launches its processes and removes them."""

    title: str
    ready_seconds: ClassVar[float]
    #: The signal that ends it in order.
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, origin: str, folder: Path) -> None:
        self.origin = origin
        self._folder = folder
        self._process: Child | None = None
        self._was_ready = False

    def wait_ready(self) -> None:
        for attempt in range(1, START_ATTEMPTS + 1):
            try:
                wait_until(self._refusal, self._check_running, self.ready_seconds, self.title)
            except PortTaken:
                if self._was_ready or attempt == START_ATTEMPTS:
                    raise
                say(f"a port of {self.title} was taken meanwhile, trying another ...")
                self._start_elsewhere()
            else:
                self._was_ready = True
                return

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def stop(self) -> None:
        if self._process is not None:
            self._process.end(self.stop_signal, STOP_SECONDS)

    @abstractmethod
    def _start_elsewhere(self) -> None:
        """Start it, which was never ready, on other ports."""

    @abstractmethod
    def _refusal(self) -> str | None:
        """Return the reason for which a client cannot use it yet; None: it can."""

    def _check_running(self) -> None:
        """Raise StartFailed, or PortTaken, if it has ended."""
        if self._process is not None:
            self._process.check_running()
