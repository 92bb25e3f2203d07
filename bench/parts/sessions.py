"""Many open sessions in one terminal worker: its memory and the lag of its event loop."""

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Final

from bench.clients import order
from bench.http_client import HttpClient
from bench.measures.memory import allow_open_files, resident_mb
from bench.measures.metrics import lag_counts, percentile_bound, slots_used
from bench.results import Part, Row
from bench.size import Size
from bench.system import BenchSystem, Servers, running_system

WORKER: Final = "terminal worker"
CLIENTS: Final = 32
#: Terminals take longer than all sessions need to begin, and less than `answer_timeout_seconds`.
THINK_SECONDS: Final = 170.0
POLL_SECONDS: Final = 0.2


async def _begin_all(system: BenchSystem) -> None:
    """Send an order to each terminal without waiting for its result; raise SystemExit for a refusal."""
    hosts = iter(system.hosts)

    async def send() -> None:
        client = await HttpClient.connect(
            system.api_port, system.username, system.secret, prefer="respond-async"
        )
        for host in hosts:
            status, body = await client.post(order(host))
            if status != 202:
                raise SystemExit(f"an order was answered {status}: {body.decode()}")
        client.close()

    await asyncio.gather(*(send() for _ in range(CLIENTS)))


async def _all_open(port: int, number: int, ends_at: float) -> None:
    while (used := await slots_used(port)) < number:
        if time.monotonic() > ends_at:
            raise SystemExit(f"{used} of {number} sessions are open, and the first ones end")
        await asyncio.sleep(POLL_SECONDS)


async def measure(servers: Servers, size: Size) -> list[Row]:
    # The terminals' process has a listening socket and a connection for each session.
    allow_open_files(2 * size.sessions + 1000)
    settings = {
        "CLOUD_TERMINAL_SESSION_LIMIT": str(size.sessions),
        "CLOUD_TERMINAL_WAITING_LIMIT_PER_MERCHANT": "10000",
    }
    async with AsyncExitStack() as stack:
        system = await stack.enter_async_context(
            running_system(servers, terminals=size.sessions, think_seconds=THINK_SECONDS, settings=settings)
        )
        port, pid = system.management_ports[WORKER], system.pids[WORKER]
        without = resident_mb(pid)
        begun = time.monotonic()
        await _begin_all(system)
        await _all_open(port, size.sessions, begun + THINK_SECONDS)
        took = time.monotonic() - begun
        memory, lags = [], []
        for _ in range(size.turns):
            before = await lag_counts(port)
            await asyncio.sleep(size.hold_seconds)
            lags.append(percentile_bound(before, await lag_counts(port), 99) * 1000)
            memory.append(resident_mb(pid))
        if (used := await slots_used(port)) < size.sessions:
            raise SystemExit(f"only {used} sessions were open until the end")
    return [
        Row.of("open sessions", "", [size.sessions]),
        Row.of("until all were open", "s", [took]),
        Row.of("memory of the worker without a session", "MB", [without]),
        Row.of("memory of the worker", "MB", memory, aim="below 200 MB"),
        Row.of("lag of the event loop, p99, at most", "ms", lags, aim="below 50 ms"),
    ]


PART: Final = Part(
    "Open sessions in one worker",
    "Each session has a terminal of its own that is waiting for its customer. The lag is the upper bound of"
    " the metric's bucket; the worker's heartbeats go on meanwhile.",
    measure,
)
