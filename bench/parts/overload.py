"""Overload: orders at five times the capacity, and 1,000 orders at once.

Part one: terminals that take a second and a worker with few sessions; the best rate of clients that wait for
their answers, then five times that rate. Part two: orders at the same moment, each for a terminal of its own
that takes ten seconds.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from bench.clients import order
from bench.figures import percentile
from bench.http_client import HttpClient
from bench.results import Part, Row
from bench.size import WHOLE, Size
from bench.system import BenchSystem, Servers, running_system

THINK_SECONDS: Final = 1.0
#: Of the clients that wait for their answers, and of the flood, in slices of time.
BEST_SLICES: Final = 5
FLOOD_SLICES: Final = 8
TIMES: Final = 5
SLOW_SECONDS: Final = 10.0


@dataclass
class Answers:
    """Statuses, times of successes (seconds from the start), and durations of refusals."""

    statuses: Counter[int] = field(default_factory=Counter)
    paid_at: list[float] = field(default_factory=list)
    refused_after: list[float] = field(default_factory=list)
    refused_stored: int = 0

    def add(self, status: int, body: bytes, at: float, took: float) -> None:
        self.statuses[status] += 1
        if status == 200 and b'"paymentStatus":"Success"' in body:
            self.paid_at.append(at)
        elif status in {429, 503}:
            self.refused_after.append(took)
        elif b'"payment":{' in body and status == 500:
            self.refused_stored += 1

    def text(self) -> str:
        statuses = ", ".join(f"{status}: {number}" for status, number in sorted(self.statuses.items()))
        return f"{statuses}; paid {len(self.paid_at)}"


class Clients:
    """A pool of connections, as large as the number of concurrent orders."""

    def __init__(self, system: BenchSystem) -> None:
        self._system: Final = system
        self._idle: Final[list[HttpClient]] = []

    async def pay(self, host: str, answers: Answers, began: float) -> None:
        client = self._idle.pop() if self._idle else await self._connect()
        sent = time.perf_counter()
        try:
            status, body = await client.post(order(host))
        except (OSError, asyncio.IncompleteReadError):
            answers.statuses[0] += 1
            return
        now = time.perf_counter()
        answers.add(status, body, now - began, now - sent)
        self._idle.append(client)

    async def _connect(self) -> HttpClient:
        return await HttpClient.connect(self._system.api_port, self._system.username, self._system.secret)

    def close(self) -> None:
        for client in self._idle:
            client.close()


async def _best(system: BenchSystem, callers: int, seconds: float) -> float:
    """Return payments a second of clients that wait for their answers."""
    answers, clients, began = Answers(), Clients(system), time.perf_counter()

    async def go_round(host: str) -> None:
        while time.perf_counter() - began < seconds:
            await clients.pay(host, answers, began)

    await asyncio.gather(*(go_round(host) for host in system.hosts[:callers]))
    clients.close()
    return len(answers.paid_at) / (time.perf_counter() - began)


async def _flood(system: BenchSystem, rate: float, seconds: float) -> tuple[Answers, float]:
    """Send orders at a fixed rate; return the answers and the payments a second.

    The first third of the time is not counted: the queue fills up.
    """
    answers, clients, began = Answers(), Clients(system), time.perf_counter()
    tasks = []
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        host = system.hosts[number % len(system.hosts)]
        tasks.append(asyncio.create_task(clients.pay(host, answers, began)))
    await asyncio.gather(*tasks)
    clients.close()
    first = seconds / 3
    counted = [at for at in answers.paid_at if first <= at <= seconds]
    return answers, len(counted) / (seconds - first)


async def _five_times(servers: Servers, size: Size) -> list[Row]:
    sessions = size.flooded_sessions
    settings = {"CLOUD_TERMINAL_SESSION_LIMIT": str(sessions)}
    async with running_system(
        servers, terminals=60 * sessions, think_seconds=THINK_SECONDS, settings=settings
    ) as system:
        best = await _best(system, 2 * sessions, BEST_SLICES * size.slice_seconds)
        answers, goodput = await _flood(system, TIMES * best, FLOOD_SLICES * size.slice_seconds)
    refused = [seconds * 1000 for seconds in answers.refused_after or [0.0]]
    print(f"{TIMES} times the capacity: {answers.text()}")
    return [
        Row.of(f"best rate of {sessions} sessions of {THINK_SECONDS:g} s", "a second", [best]),
        Row.of(f"paid at {TIMES} times that rate", "a second", [goodput], baseline=[best]),
        Row.of("refusals", "ms", refused),
        Row.of("refusals, p99", "ms", [percentile(refused, 99)]),
        Row.of("answered 500 with a stored payment", "", [answers.refused_stored], aim="0"),
    ]


async def _at_once(servers: Servers, callers: int) -> list[Row]:
    settings = {"CLOUD_TERMINAL_SESSION_LIMIT": str(callers)}
    async with running_system(
        servers, terminals=callers, think_seconds=SLOW_SECONDS, settings=settings
    ) as system:
        answers, clients, began = Answers(), Clients(system), time.perf_counter()
        await asyncio.gather(*(clients.pay(host, answers, began) for host in system.hosts))
        clients.close()
        took = time.perf_counter() - began
    print(f"{callers} orders at once: {answers.text()}")
    name = f"paid of {callers:,} callers at once, terminals that take {SLOW_SECONDS:g} s"
    return [
        Row.of(name, "", [len(answers.paid_at)], aim="all"),
        Row.of("until all of them were answered", "s", [took]),
    ]


async def measure(servers: Servers, size: Size) -> list[Row]:
    return [*await _five_times(servers, size), *await _at_once(servers, size.callers_at_once)]


PART: Final = Part(
    "Overload",
    f"Orders at {TIMES} times the best rate of clients that wait for their answers, and"
    f" {WHOLE.callers_at_once:,} orders at the same moment. What cannot be done in time is refused at"
    " once, before it is stored.",
    measure,
)
