"""Real processes of the command line, with their logs in a folder."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from eventually import eventually

from shared.settings.fields import variable

REPOSITORY = Path(__file__).parents[2]


def environment_of(settings: Mapping[str, object]) -> dict[str, str]:
    """Return this process's environment with the settings as variables."""
    return {**os.environ, **{variable(name): _text(value) for name, value in settings.items()}}


def _text(value: object) -> str:
    return json.dumps(value) if isinstance(value, tuple) else str(value)


class Process:
    """One running `python -m cli ...`; what it writes is in `log`."""

    def __init__(self, running: asyncio.subprocess.Process, log: Path) -> None:
        self._running = running
        self.log = log

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._running.returncode

    @property
    def text(self) -> str:
        return self.log.read_text()

    async def logged(self, event: str, *, within_seconds: float = 60, **fields: object) -> dict[str, Any]:
        """Wait for a JSON line of the log with this event and these fields; return it."""

        def look() -> dict[str, Any] | None:
            assert self._running.returncode is None, self.text
            for line in self.text.splitlines():
                with contextlib.suppress(ValueError):
                    found = json.loads(line)
                    if found.get("event") == event and fields.items() <= found.items():
                        return dict(found)
            return None

        found: dict[str, Any] = await eventually(look, within_seconds=within_seconds)
        return found

    def signal(self, number: signal.Signals) -> None:
        self._running.send_signal(number)

    def terminate(self) -> None:
        self.signal(signal.SIGTERM)

    async def ended(self, *, within_seconds: float = 60) -> int:
        """Wait for its end; return the exit code."""
        return await asyncio.wait_for(self._running.wait(), within_seconds)

    async def kill(self) -> None:
        if self._running.returncode is None:
            self._running.kill()
            await self._running.wait()


class Fleet:
    """Starts processes with one environment; those that still run at the end are stopped in order."""

    def __init__(self, settings: Mapping[str, object], folder: Path) -> None:
        self._environment = environment_of(settings)
        self._folder = folder
        self._processes: list[Process] = []
        self._numbers = itertools.count()

    async def start(self, *arguments: str, module: str = "cli") -> Process:
        """Start `python -m cli ...`, or another module that runs it."""
        log = self._folder / f"{next(self._numbers)}-{arguments[0]}.log"
        with log.open("wb") as output:
            running = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                module,
                *arguments,
                env=self._environment,
                cwd=REPOSITORY,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        process = Process(running, log)
        self._processes.append(process)
        return process

    async def call(self, *arguments: str) -> tuple[int, str]:
        """Run a short command; return its exit code and what it wrote."""
        process = await self.start(*arguments)
        return await process.ended(), process.text

    @property
    def logs(self) -> str:
        return "".join(process.text for process in self._processes)

    async def stop(self) -> list[int]:
        """Ask all to end as an operator does; return their exit codes."""
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        try:
            return [await process.ended() for process in self._processes]
        finally:
            for process in self._processes:
                await process.kill()


@contextlib.asynccontextmanager
async def fleet_of(settings: Mapping[str, object], folder: Path) -> AsyncIterator[Fleet]:
    fleet = Fleet(settings, folder)
    try:
        yield fleet
    finally:
        await fleet.stop()
