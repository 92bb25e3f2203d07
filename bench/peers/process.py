"""Frameworks to compare with: a process that answers and a process that asks, both of `bench/peers/`.

The asking process gets a line `CALLERS SECONDS` and answers with one JSON line: answers, seconds, p50_ms.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from bench.clients import Slice
from shared.runtime.processes import Process

ANSWER_SECONDS: Final = 120.0


class Peer:
    """One framework's two processes."""

    def __init__(self, answering: Process, asking: asyncio.subprocess.Process) -> None:
        self._answering: Final = answering
        self._asking: Final = asking

    async def go_on(self, callers: int, seconds: float) -> Slice:
        """Let each caller ask again and again for a slice of time; raise ProcessFailed if one ends."""
        assert self._asking.stdin is not None
        assert self._asking.stdout is not None
        self._asking.stdin.write(f"{callers} {seconds}\n".encode())
        answer = asyncio.ensure_future(self._asking.stdout.readline())
        lost = asyncio.ensure_future(self._answering.ended(within_seconds=None))
        await asyncio.wait(
            [answer, lost], timeout=seconds + ANSWER_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        lost.cancel()
        if not answer.done() or not answer.result():
            answer.cancel()
            raise self._answering.failure("gave no answers")
        return Slice(**json.loads(answer.result()))


@asynccontextmanager
async def peer(module: str, amqp_url: str, queue: str) -> AsyncIterator[Peer]:
    """Start both processes of a framework; the queue is deleted by the asking one when its input ends."""
    with tempfile.TemporaryDirectory(prefix="cloud-terminal-bench-") as folder:
        log = Path(folder) / "answering.log"
        answering = await Process.start("answer", amqp_url, queue, environment={}, module=module, log=log)
        asking = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, "ask", amqp_url, queue),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            yield Peer(answering, asking)
        finally:
            await answering.stop()
            assert asking.stdin is not None
            asking.stdin.close()
            await asking.wait()
