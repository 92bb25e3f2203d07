"""Samples of the measured processes' stacks while they are busy, by py-spy of the group `bench`."""

import asyncio
import shutil
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from bench.clients import go_on, payers
from bench.measures.flame import PICTURES, picture, read_stacks
from bench.parts.webhooks import busy_notifier
from bench.size import Size
from bench.system import Servers, running_system

CALLERS: Final = 64
SAMPLES_A_SECOND: Final = 100
NOTIFIER: Final = "notifier worker"


async def take_pictures(servers: Servers, size: Size, folder: Path) -> None:
    """Write each process's flame picture into a folder; raise SystemExit where py-spy fails."""
    callers = min(CALLERS, max(size.concurrencies))
    async with running_system(servers, terminals=callers) as system, AsyncExitStack() as stack:
        paying = await payers(stack, system, callers)
        await go_on(paying, size.slice_seconds)
        loading = asyncio.create_task(go_on(paying, size.hold_seconds + 5))
        names = [name for name in PICTURES if name in system.pids]
        stacks = await asyncio.gather(*(sampled(system.pids[name], size.hold_seconds) for name in names))
        await loading
    async with busy_notifier(servers, size) as pid:
        names.append(NOTIFIER)
        stacks.append(await sampled(pid, size.hold_seconds))
    for name, text in zip(names, stacks, strict=True):
        (folder / PICTURES[name]).write_text(picture(name, read_stacks(text)), encoding="utf-8")


async def sampled(pid: int, seconds: float) -> str:
    """Return the stacks of a process that were on the CPU, as lines `outermost;...;innermost NUMBER`."""
    beside = Path(sys.executable).with_name("py-spy")
    program = str(beside) if beside.exists() else shutil.which("py-spy")
    if program is None:
        raise SystemExit("py-spy is not installed: run this by `make bench`")
    with tempfile.TemporaryDirectory(prefix="cloud-terminal-bench-") as folder:
        output = Path(folder) / "stacks"
        process = await asyncio.create_subprocess_exec(
            *(program, "record", "--pid", str(pid), "--format", "raw", "--output", str(output)),
            *("--duration", str(max(1, round(seconds))), "--rate", str(SAMPLES_A_SECOND), "--function"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()
        if process.returncode != 0:
            raise SystemExit(f"py-spy failed: {said.decode()[-500:]}")
        return output.read_text(encoding="utf-8")
