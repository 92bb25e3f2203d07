"""API process under attack, and a bystander's health checks meanwhile."""

import asyncio
import contextlib
import json
import statistics
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
from running.fleet import Fleet, Process
from system import LOOPBACK, Pos, System

#: Limit of the 99th percentile of a bystander's health checks.
SLOW_CHECK_SECONDS = 0.1
#: Factor for a machine that does other work, too.
IDLE_TIMES = 3
_SUPPORT = Path(__file__).parents[1]


@dataclass
class Bystander:
    """A bystander's health checks during an attack; known once it is over."""

    seconds: list[float] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)
    #: Memory that the process took during the attack.
    megabytes: float = 0

    @property
    def slowest_hundredth(self) -> float:
        return statistics.quantiles(self.seconds, n=100)[98]


@dataclass
class Target:
    """API process, with everything that an attacker may have."""

    process: Process
    port: int
    #: Headers of a log-in, by kind of credential; `none` has none.
    logins: dict[str, dict[str, str]]
    #: Time of a health check on the same machine while nothing else happens.
    idle_seconds: float
    print_line: Callable[[str], None]
    #: Starts further processes of the same installation.
    fleet: Fleet
    #: Makes its merchants and reads what it stored.
    system: System

    @contextlib.asynccontextmanager
    async def pos(self) -> AsyncIterator[Pos]:
        """Return the POS of a new merchant, whose terminals are on loopback addresses."""
        async with httpx.AsyncClient(timeout=120) as client:
            yield Pos(client, await self.system.login(LOOPBACK), f"http://127.0.0.1:{self.port}")

    async def start(self, verb: str, ready_line: str) -> Process:
        """Start one more process and wait until it works."""
        process = await self.fleet.start(verb)
        await process.logged(ready_line)
        return process

    @contextlib.asynccontextmanager
    async def attacked(
        self,
        name: str,
        *,
        health_waits: bool = False,
        health_is_red: bool = False,
        victim: Process | None = None,
    ) -> AsyncIterator[Bystander]:
        """Watch health while the block attacks; print the result; fail where others had to wait.

        `health_waits`: they may; `health_is_red`: the attack is one that health tells of. `victim` is the
        process whose memory is looked at, unless it is the API.
        """
        victim = victim or self.process
        begun, before = time.perf_counter(), megabytes_of(victim)
        async with watching(self.port) as bystander:
            yield bystander
        took = time.perf_counter() - begun
        bystander.megabytes = more = megabytes_of(victim) - before
        slow = bystander.slowest_hundredth
        self.print_line(
            f"{name:<62} {took:6.1f} s {more:+7.1f} MB   health p99 {slow * 1000:5.0f} ms"
            f" (idle {self.idle_seconds * 1000:.0f} ms)"
        )
        assert health_is_red or bystander.statuses == {200}, bystander.statuses
        assert health_waits or slow < SLOW_CHECK_SECONDS + IDLE_TIMES * self.idle_seconds, name


def megabytes_of(process: Process) -> float:
    return float(psutil.Process(process.pid).memory_info().rss) / 2**20


@contextlib.asynccontextmanager
async def watching(port: int) -> AsyncIterator[Bystander]:
    """Watch health while the block runs, and at least for a hundred checks."""
    bystander = Bystander()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "running.bystander", str(port)),
        cwd=_SUPPORT,
        stdin=PIPE,
        stdout=PIPE,
        limit=2**24,
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline(), "it could not watch"
        yield bystander
        # The end of its input ends the bystander.
        output, _ = await process.communicate(b"")
        found = json.loads(output)
        bystander.seconds, bystander.statuses = found["seconds"], set(found["statuses"])
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
