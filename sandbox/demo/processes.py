"""Starts the command `cloud-terminal` as child processes, reads their logs, ends them."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from sandbox.demo.errors import Unexpected
from sandbox.servers.private.children import POLL_SECONDS, Child
from shared.settings.fields import variable

Found = TypeVar("Found")

READY_SECONDS: Final = 20.0
#: Nothing is under way when they are asked to end, unless the demo was broken off.
_END_SECONDS: Final = 10.0
_COMMAND_SECONDS: Final = 60.0
_COMMAND: Final = (sys.executable, "-m", "cli")


@dataclass(frozen=True, slots=True)
class Running:
    """One child process and its log."""

    name: str
    child: Child
    log: Path


def environment(folder: Path, **settings: str | int) -> dict[str, str]:
    """Return our own environment with these settings in place of all that the caller may have set."""
    prefix = variable("")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(prefix)}
    import_path = [str(Path(__file__).resolve().parents[2]), kept.get("PYTHONPATH", "")]
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, import_path))
    if kept.pop("PYTHONDONTWRITEBYTECODE", None):
        # Eight processes would each compile everything: they share it, in a folder that goes.
        kept["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
    return kept | {variable(name): str(value) for name, value in settings.items()}


def start(name: str, arguments: Sequence[str], folder: Path, surroundings: dict[str, str]) -> Running:
    """Start `cloud-terminal ARGUMENTS`; it ends with this process. To be called in the main thread."""
    log = folder / f"{name.replace(' ', '-')}.log"
    child = Child(name, [*_COMMAND, *arguments], environment=surroundings, folder=folder, log=log)
    return Running(name, child, log)


def run_to_end(arguments: Sequence[str], folder: Path, surroundings: dict[str, str]) -> str:
    """Run `cloud-terminal ARGUMENTS` and return what it printed; raise Unexpected where it fails."""
    done = subprocess.run(
        [*_COMMAND, *arguments],
        cwd=folder,
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=_COMMAND_SECONDS,
        check=False,
    )
    if done.returncode:
        raise Unexpected(
            f"cloud-terminal {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr.strip()}"
        )
    return done.stdout


async def until(
    look: Callable[[], Awaitable[Found | None]],
    what: str,
    *parts: Running,
    seconds: float = READY_SECONDS,
) -> Found:
    """Look until something is there; raise StartFailed where a process ended, Unexpected after the time."""
    deadline = time.monotonic() + seconds
    while (found := await look()) is None:
        for part in parts:
            part.child.check_running()
        if time.monotonic() > deadline:
            raise Unexpected(f"{what}: not within {seconds:g} s")
        await asyncio.sleep(POLL_SECONDS)
    return found


async def until_logged(part: Running, event: str) -> dict[str, Any]:
    """Return the first line that tells of this event, once it is written."""

    async def look() -> dict[str, Any] | None:
        return next(log_lines(part, event), None)

    return await until(look, f"{part.name} logs {event!r}", part)


def log_lines(part: Running, event: str) -> Iterator[dict[str, Any]]:
    """Return the lines of a process's log (JSON) that tell of this event."""
    for text in part.log.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
        # A line without its end is not written whole yet.
        if text.startswith("{") and text.endswith("\n"):
            line: dict[str, Any] = json.loads(text)
            if line.get("event") == event:
                yield line


def end_all(parts: Sequence[Running]) -> None:
    """SIGTERM to all, SIGKILL to those that stay; return when none of them is left."""
    if not parts:
        return
    with ThreadPoolExecutor(len(parts)) as pool:
        for ended in [pool.submit(part.child.end, signal.SIGTERM, _END_SECONDS) for part in parts]:
            ended.result()
