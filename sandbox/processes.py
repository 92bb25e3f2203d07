"""Our own processes as children: started with an environment, ready when they say so, gone with us."""

import asyncio
import json
import os
import signal
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Final

#: How often a child's log and readiness are looked at; a process tells nobody else when it is ready.
POLL_SECONDS: Final = 0.05
READY_SECONDS: Final = 30.0
#: What the processes log when their ports are open; the line's `port` is the one that was taken.
MANAGEMENT_LINE: Final = "management port is open"
API_LINE: Final = "API is serving"


class ProcessFailed(Exception):
    """A child ended, or was not ready in time; the message holds the end of its log."""


class OwnProcess:
    """One `cloud-terminal VERB`, with its log (JSON lines) in a file."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name: Final = name
        self.log: Final = log
        self._process: Final = process

    @staticmethod
    async def start(
        verb: str, *arguments: str, environment: Mapping[str, str], log: Path, name: str | None = None
    ) -> "OwnProcess":
        """Start it; `environment` is added to ours. The kernel ends it with the thread that started it."""
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                "setpriv",
                "--pdeathsig",
                "TERM",
                sys.executable,
                "-m",
                "cli",
                verb,
                *arguments,
                env={**os.environ, "CLOUD_TERMINAL_LOG_FORMAT": "json", **environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return OwnProcess(name or verb, process, log)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def line(self, event: str, *, within_seconds: float = READY_SECONDS) -> dict[str, object]:
        """Wait for the log line of an event and return it; raise ProcessFailed."""
        try:
            async with asyncio.timeout(within_seconds):
                while True:
                    for text in self.log.read_text(errors="replace").splitlines():
                        if event in text:
                            return _json_line(text)
                    self._check_running()
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise ProcessFailed(f"{self.name} was not ready in time:\n{self.tail()}") from None

    async def ready(self) -> int:
        """Wait until `/readyz` of its management port answers 200; return that port. Raise ProcessFailed."""
        port = (await self.line(MANAGEMENT_LINE))["port"]
        assert isinstance(port, int)
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not await asyncio.to_thread(_is_ready, port):
                    self._check_running()
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise ProcessFailed(f"{self.name} was not ready in time:\n{self.tail()}") from None
        return port

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, e.g. SIGKILL or SIGSTOP, to the process itself."""
        self._process.send_signal(number)

    async def stop(self, within_seconds: float = 10.0) -> int:
        """End it with SIGTERM, with SIGKILL where that is not enough; return its exit status."""
        if self._process.returncode is None:
            self._process.terminate()
        try:
            async with asyncio.timeout(within_seconds):
                return await self._process.wait()
        except TimeoutError:
            self._process.kill()
            return await self._process.wait()

    async def wait(self) -> int:
        """Wait for its end; return its exit status."""
        return await self._process.wait()

    def tail(self, characters: int = 2000) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-characters:]

    def _check_running(self) -> None:
        if self._process.returncode is not None:
            raise ProcessFailed(f"{self.name} ended with status {self._process.returncode}:\n{self.tail()}")


def _json_line(text: str) -> dict[str, object]:
    try:
        line = json.loads(text)
    except ValueError:
        return {"event": text}
    assert isinstance(line, dict)
    return line


def _is_ready(port: int) -> bool:
    try:
        # The scheme stands here; nobody else can choose it.
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:  # nosec B310
            return bool(answer.status == 200)
    except OSError:
        return False
