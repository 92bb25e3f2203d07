"""Child processes `python -m cli VERB`: started with settings, observed by logs, ended with this one."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import urllib.request
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

Found = TypeVar("Found")

#: Interval between reads of a child's log and readiness.
POLL_SECONDS: Final = 0.05
READY_SECONDS: Final = 60.0
#: Time for the work to say why a process that it waits for has ended.
_EXPLAIN_SECONDS: Final = 1.0
#: Events that the processes log when their ports are open; `port` is the one that was taken.
MANAGEMENT_LINE: Final = "management port is open"
API_LINE: Final = "API is serving"


class ProcessFailed(Exception):
    """Raised where a child ended by itself or was not ready in time; the message has the end of its log."""


class Process:
    """One child process; its output (JSON lines) goes to `log`, or to our own output without one."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path | None) -> None:
        self.name: Final = name
        self.log: Final = log
        #: Set once its end is wanted.
        self.is_ending = False
        self._process: Final = process

    @staticmethod
    async def start(
        verb: str,
        *arguments: str,
        environment: Mapping[str, str],
        log: Path | None = None,
        name: str | None = None,
        module: str = "cli",
        cwd: Path | None = None,
    ) -> "Process":
        """Start it with `environment` added to ours, in a session of its own: Ctrl-C reaches us alone.

        Where setpriv is installed the kernel ends it with the thread that started it.
        """
        tied = ("setpriv", "--pdeathsig", "TERM") if shutil.which("setpriv") else ()
        with contextlib.ExitStack() as stack:
            output = None if log is None else stack.enter_context(log.open("wb"))
            process = await asyncio.create_subprocess_exec(
                *(*tied, sys.executable, "-m", module, verb, *arguments),
                env={
                    **os.environ,
                    **({} if log is None else {"CLOUD_TERMINAL_LOG_FORMAT": "json"}),
                    **environment,
                },
                cwd=cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return Process(name or verb, process, log)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.returncode

    @property
    def text(self) -> str:
        """The content of its log."""
        return "" if self.log is None else self.log.read_text(errors="replace")

    async def logged(
        self, event: str, *, within_seconds: float = READY_SECONDS, **fields: object
    ) -> dict[str, Any]:
        """Wait for the log line of an event with these fields and return it; raise ProcessFailed."""

        def is_wanted(line: dict[str, Any]) -> bool:
            return line.get("event") == event and fields.items() <= line.items()

        async def look() -> dict[str, Any] | None:
            return next(filter(is_wanted, self._lines()), None)

        return await self._until(look, within_seconds)

    async def ready(self) -> int:
        """Wait until `/readyz` of its management port answers 200; return that port. Raise ProcessFailed."""
        port: int = (await self.logged(MANAGEMENT_LINE))["port"]

        async def look() -> bool | None:
            return await asyncio.to_thread(_is_ready, port) or None

        await self._until(look, READY_SECONDS)
        return port

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, e.g. SIGSTOP, to the process itself."""
        self._process.send_signal(number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.is_ending = True
        self.signal(signal.SIGTERM)

    async def ended(self, *, within_seconds: float | None = READY_SECONDS) -> int:
        """Wait for its end and return its exit code; raise TimeoutError."""
        return await asyncio.wait_for(self._process.wait(), within_seconds)

    async def kill(self) -> int:
        """End it with SIGKILL, unless it has ended; return its exit code."""
        self.is_ending = True
        if self.exit_code is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        return await self._process.wait()

    async def stop(self, within_seconds: float = 10.0) -> int:
        """End it with SIGTERM, with SIGKILL where that is not enough; return its exit code."""
        with contextlib.suppress(ProcessLookupError):
            self.terminate()
        try:
            return await self.ended(within_seconds=within_seconds)
        except TimeoutError:
            return await self.kill()

    def failure(self, what: str = "") -> ProcessFailed:
        """Return an error with the end of its log; without `what` for a process that has ended."""
        log = "" if self.log is None else f":\n{self.text[-2000:]}"
        return ProcessFailed(f"{self.name} {what or f'ended with status {self.exit_code}'}{log}")

    def _lines(self) -> list[dict[str, Any]]:
        lines = []
        for text in self.text.splitlines():
            with contextlib.suppress(ValueError):
                line = json.loads(text)
                if isinstance(line, dict):
                    lines.append(line)
        return lines

    async def _until(
        self, look: Callable[[], Coroutine[Any, Any, Found | None]], within_seconds: float
    ) -> Found:
        try:
            async with asyncio.timeout(within_seconds):
                while (found := await look()) is None:
                    if self.exit_code is not None:
                        raise self.failure()
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise self.failure("was not ready in time") from None
        return found


class Fleet:
    """Processes with one environment; their logs are files of `folder`, or our own output without one."""

    def __init__(
        self, environment: Mapping[str, str], folder: Path | None = None, *, cwd: Path | None = None
    ) -> None:
        self.processes: Final[list[Process]] = []
        self._environment: Final = environment
        self._folder: Final = folder
        self._cwd: Final = cwd
        #: The first process that ended by itself.
        self._lost: Final[asyncio.Future[Process]] = asyncio.get_running_loop().create_future()
        self._watches: Final[list[asyncio.Task[None]]] = []

    async def start(
        self, verb: str, *arguments: str, module: str = "cli", settings: Mapping[str, str] | None = None
    ) -> Process:
        """Start `python -m cli VERB`, or another module that runs it; `settings` are further variables."""
        is_first = all(process.name != verb for process in self.processes)
        name = verb if is_first else f"{verb}-{len(self.processes) + 1}"
        process = await Process.start(
            verb,
            *arguments,
            environment={**self._environment, **(settings or {})},
            log=None if self._folder is None else self._folder / f"{name}.log",
            name=name,
            module=module,
            cwd=self._cwd,
        )
        self.processes.append(process)
        self._watches.append(asyncio.create_task(self._watch(process)))
        return process

    async def call(self, *arguments: str) -> tuple[int, str]:
        """Run a short command; return its exit code and its output."""
        process = await self.start(*arguments)
        process.is_ending = True
        return await process.ended(), process.text

    async def supervise(self, stopped: asyncio.Event, work: Coroutine[Any, Any, None]) -> Process | None:
        """Run `work` until it ends, until `stopped` is set, or until a process ends by itself.

        Return that process. Work that still runs is cancelled and waited for. Raises what it raises.
        """
        working, stopping = asyncio.create_task(work), asyncio.create_task(stopped.wait())
        ends: list[asyncio.Future[Any]] = [working, stopping, self._lost]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        is_lost = self._lost.done() and not stopped.is_set()
        if is_lost:
            await asyncio.wait([working], timeout=_EXPLAIN_SECONDS)
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)
        if not working.cancelled():
            working.result()
        return self._lost.result() if is_lost else None

    async def stop(self, within_seconds: float = READY_SECONDS) -> list[int]:
        """End all with SIGTERM, with SIGKILL after the time, and return their exit codes."""
        codes = await asyncio.gather(*(process.stop(within_seconds) for process in self.processes))
        await asyncio.gather(*self._watches)
        return codes

    async def _watch(self, process: Process) -> None:
        await process.ended(within_seconds=None)
        if not process.is_ending and not self._lost.done():
            self._lost.set_result(process)


def stop_at_signals() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set from now on."""
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    return stopped


def _is_ready(port: int) -> bool:
    try:
        # The scheme is constant.
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:  # nosec B310
            return bool(answer.status == 200)
    except OSError:
        return False
