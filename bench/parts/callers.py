"""Many callers that wait for their payments in one API: its memory, its lag and its database connections."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import asyncpg
from sqlalchemy.engine import make_url

from bench.clients import order
from bench.http_client import HttpClient
from bench.measures.memory import allow_open_files, resident_mb
from bench.measures.metrics import lag_counts, percentile_bound
from bench.results import Part, Row
from bench.size import Size
from bench.system import BenchSystem, Servers, running_system

#: Orders on their way to being stored; more would only wait for each other.
UNSTORED: Final = 64
FILL_SECONDS: Final = 600.0
POLL_SECONDS: Final = 0.05
OVERLOADED: Final = 503
AGAIN_SECONDS: Final = 0.2
#: Nothing takes the payments, so everything that ends a wait is later than the measurement.
SETTINGS: Final = {
    f"CLOUD_TERMINAL_{name}": value
    for name, value in {
        "WAITING_LIMIT": "100000",
        "WAITING_LIMIT_PER_MERCHANT": "100000",
        "OPEN_PAYMENT_LIMIT_PER_MERCHANT": "100000",
        "QUEUE_DEADLINE_SECONDS": "600",
        "WORKER_LAG_LIMIT_SECONDS": "600",
        "CALLER_WAIT_SECONDS": "900",
        "PROXY_TIMEOUT_SECONDS": "910",
        "API_DRAIN_SECONDS": "905",
        "API_STOP_GRACE_SECONDS": "920",
    }.items()
}

_STORED: Final = "SELECT count(*) FROM payments"
#: A connection that a waiting request held would be in a transaction, and nothing would run on it.
_CONNECTIONS: Final = (
    "SELECT count(*) FILTER (WHERE state <> 'idle') AS used,"
    " count(*) FILTER (WHERE state LIKE 'idle in%') AS held"
    " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@asynccontextmanager
async def _looking_at(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    url = make_url(database_url).set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False), timeout=10)
    try:
        yield connection
    finally:
        await connection.close()


async def _answer(client: HttpClient, host: str) -> tuple[int, bytes]:
    """Return the answer to an order; one that is refused since too many are being stored is sent again."""
    while True:
        answer = await client.post(order(host))
        if answer[0] != OVERLOADED:
            return answer
        await asyncio.sleep(AGAIN_SECONDS)


async def _begin_to_wait(
    stack: AsyncExitStack, system: BenchSystem, database: asyncpg.Connection, callers: int
) -> list[asyncio.Task[tuple[int, bytes]]]:
    """Return callers whose orders are stored and who wait for their answers."""
    waiting: list[asyncio.Task[tuple[int, bytes]]] = []
    ends_at = time.monotonic() + FILL_SECONDS
    while (stored := await database.fetchval(_STORED)) < callers:
        if time.monotonic() > ends_at:
            raise SystemExit(f"{stored} of {callers} orders were stored within {FILL_SECONDS:g} s")
        _check_none_answered(waiting)
        for number in range(len(waiting), min(callers, stored + UNSTORED)):
            client = await HttpClient.connect(system.api_port, system.username, system.secret)
            stack.callback(client.close)
            host = f"127.0.{number // 250}.{number % 250 + 1}"
            waiting.append(asyncio.create_task(_answer(client, host)))
            stack.callback(waiting[-1].cancel)
        await asyncio.sleep(POLL_SECONDS)
    return waiting


def _check_none_answered(waiting: list[asyncio.Task[tuple[int, bytes]]]) -> None:
    answered = [task for task in waiting if task.done()]
    if answered:
        raise SystemExit(f"{len(answered)} callers got an answer: {answered[0].result()}")


async def _used_and_held(database: asyncpg.Connection, seconds: float) -> tuple[list[float], list[float]]:
    """Return the numbers of connections in use, and of those in a transaction without a statement."""
    used, held = [], []
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        (row,) = await database.fetch(_CONNECTIONS)
        used.append(float(row["used"]))
        held.append(float(row["held"]))
        await asyncio.sleep(POLL_SECONDS)
    return used, held


async def measure(servers: Servers, size: Size) -> list[Row]:
    allow_open_files(size.callers + 1000)
    async with running_system(servers, terminals=0, settings=SETTINGS, with_worker=False) as system:
        port, pid = system.management_ports["API"], system.pids["API"]
        without = resident_mb(pid)
        async with _looking_at(system.database_url) as database, AsyncExitStack() as stack:
            waiting = await _begin_to_wait(stack, system, database, size.callers)
            memory, lags, used, held = [], [], list[float](), list[float]()
            for _ in range(size.turns):
                before = await lag_counts(port)
                in_use, in_transaction = await _used_and_held(database, size.hold_seconds)
                lags.append(percentile_bound(before, await lag_counts(port), 99) * 1000)
                memory.append(resident_mb(pid))
                used += in_use
                held += in_transaction
            _check_none_answered(waiting)
    return [
        Row.of("waiting callers", "", [size.callers]),
        Row.of("memory of the API without a caller", "MB", [without]),
        Row.of("memory of the API", "MB", memory, aim="below 300 MB"),
        Row.of("lag of the event loop, p99, at most", "ms", lags),
        Row.of("database connections in use", "", used, aim="median 0"),
        Row.of("database connections that wait in a transaction", "", held, aim="median 0"),
    ]


PART: Final = Part(
    "Waiting callers in one API",
    "Each caller sent an order of its own and waits for its answer; no worker runs, so that nobody gets one."
    " Connections are counted in the database, 20 times a second. They are used for moments only: once a"
    " second the API reads, in one statement, the states of all payments that are waited for.",
    measure,
)
