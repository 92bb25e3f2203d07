"""Webhooks: one notifier worker and 100 endpoints, with and without one that hangs.

Throughput: with many deliveries waiting, the number a second that arrives at the other 99 endpoints. Latency:
at a steady rate, from the transaction to the arrival. Both cases take turns, so that the ratios come from the
same run.
"""

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Final

from bench.figures import percentile
from bench.measures.memory import peak_mb
from bench.parts.webhook_data import ENDPOINTS, empty, fill, host, register_endpoints, write_event
from bench.receiver import Receiver
from bench.results import Part, Row
from bench.size import WHOLE, Size
from bench.system import Servers, database_named
from shared.broker.connections import connected, declare_topology, topology_of
from shared.broker.outbox_publisher import outbox_publisher
from shared.metrics.metrics import Metrics
from shared.runtime.processes import Process
from shared.security.encryption import SecretCipher
from shared.settings.load import load_settings
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from shared.storage.db.opening import open_database

#: The first seconds of each measurement are left out: leases, connections and slots fill up.
SETTLE_SECONDS: Final = 2.0
#: Events a second in the measurement of latency, far below one worker's capacity.
STEADY_RATE: Final = 100
#: For the last webhooks of the steady rate.
ARRIVAL_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.005
HANGING: Final = host(0)


@dataclass
class Bench:
    """The database, the receiver, the settings and the size of all measurements."""

    database: Database
    settings: Settings
    receiver: Receiver
    environment: dict[str, str]
    folder: Path
    size: Size

    @asynccontextmanager
    async def notifier(self) -> AsyncIterator[Process]:
        """Run a new notifier worker for one measurement, without the state of an earlier one."""
        process = await Process.start(
            "notifier-worker", environment=self.environment, log=self.folder / f"{token_hex(4)}.log"
        )
        try:
            await process.ready()
            yield process
        finally:
            process.signal(signal.SIGKILL)
            await process.ended()


async def _throughput(bench: Bench, hangs: str | None) -> tuple[float, float]:
    """Return deliveries a second to the 99 endpoints that always answer, and the worker's peak MB."""
    await fill(bench.database, bench.size.deliveries)
    bench.receiver.begin_anew(hangs)
    async with bench.notifier() as process:
        await asyncio.sleep(SETTLE_SECONDS)
        before, begun = bench.receiver.answered(without=HANGING), time.perf_counter()
        await asyncio.sleep(2 * bench.size.slice_seconds)
        arrived = bench.receiver.answered(without=HANGING) - before
        return arrived / (time.perf_counter() - begun), peak_mb(process.pid)


@asynccontextmanager
async def busy_notifier(servers: Servers, size: Size) -> AsyncIterator[int]:
    """Yield the process number of a notifier worker that has deliveries for all endpoints."""
    async with _prepared(servers, size) as bench:
        await fill(bench.database, bench.size.deliveries)
        bench.receiver.begin_anew(None)
        async with bench.notifier() as process:
            await asyncio.sleep(SETTLE_SECONDS)
            yield process.pid


async def _latencies(bench: Bench, hangs: str | None) -> list[float]:
    """Return the milliseconds from the transaction to the arrival at the endpoints that always answer."""
    await empty(bench.database)
    bench.receiver.begin_anew(hangs)
    seconds = SETTLE_SECONDS + 2 * bench.size.slice_seconds
    async with bench.notifier():
        begun, number = time.perf_counter(), 0
        while (passed := time.perf_counter() - begun) < seconds or number < ENDPOINTS:
            while number < passed * STEADY_RATE:
                await write_event(bench.database, number)
                number += 1
            await asyncio.sleep(POLL_SECONDS)
        expected = number if hangs is None else number - -(-number // ENDPOINTS)
        ends_at = time.perf_counter() + ARRIVAL_SECONDS
        while (came := len(bench.receiver.latencies_ms)) < expected:
            if time.perf_counter() > ends_at:
                raise SystemExit(f"{came} of {expected} webhooks came within {ARRIVAL_SECONDS:g} s")
            await asyncio.sleep(POLL_SECONDS)
    times = bench.receiver.latencies_ms
    return times[int(len(times) * SETTLE_SECONDS / seconds) :]


@asynccontextmanager
async def _prepared(servers: Servers, size: Size) -> AsyncIterator[Bench]:
    run, secret_key = f"bench_{os.getpid()}_{token_hex(4)}", token_hex(32)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cloud-terminal-bench-")))
        database_url = await stack.enter_async_context(database_named(servers.postgres_url, run))
        given = {"database_url": database_url, "amqp_url": servers.amqp_url, "amqp_prefix": f"{run}."}
        settings = load_settings(**given, secret_key=secret_key)
        environment = {
            **{f"CLOUD_TERMINAL_{name.upper()}": value for name, value in given.items()},
            "CLOUD_TERMINAL_SECRET_KEY": secret_key,
            "CLOUD_TERMINAL_MANAGEMENT_PORT": "0",
            "CLOUD_TERMINAL_LOG_LEVEL": "info",
            "CLOUD_TERMINAL_NOTIFY_ALLOW_HTTP": "true",
            "CLOUD_TERMINAL_NOTIFY_ALLOWED_NETWORKS": '["127.0.0.0/8"]',
        }
        migrating = await Process.start("db", "migrate", environment=environment, log=folder / "migrate.log")
        await migrating.ended()
        database = open_database(database_url)
        stack.push_async_callback(database.close)
        receiver = Receiver([host(number) for number in range(ENDPOINTS)])
        await receiver.listen()
        stack.callback(receiver.close)
        topology = topology_of(settings)
        connection = await stack.enter_async_context(connected(settings, process="bench", purpose="publish"))
        await declare_topology(connection, topology, timeout_seconds=settings.broker_call_timeout_seconds)
        notifying = await stack.enter_async_context(
            outbox_publisher(database, settings, process="bench", topology=topology, metrics=Metrics("bench"))
        )
        publishing = asyncio.create_task(notifying.run())
        stack.callback(publishing.cancel)
        bench = Bench(database, settings, receiver, environment, folder, size)
        await register_endpoints(
            database, port=receiver.port, payments=size.deliveries, cipher=SecretCipher(secret_key.encode())
        )
        yield bench


async def measure(servers: Servers, size: Size) -> list[Row]:
    async with _prepared(servers, size) as bench:
        well: list[tuple[float, float]] = []
        hanging: list[tuple[float, float]] = []
        for _round in range(size.turns):
            well.append(await _throughput(bench, None))
            hanging.append(await _throughput(bench, HANGING))
        calm: list[list[float]] = []
        troubled: list[list[float]] = []
        for _round in range(size.turns):
            calm.append(await _latencies(bench, None))
            troubled.append(await _latencies(bench, HANGING))
    rates = [rate for rate, _ in well]
    slowest = [percentile(times, 99) for times in calm]
    return [
        Row.of("webhooks, all answer", "a second", rates, aim="1,000"),
        Row.of(
            "webhooks to the 99, one hangs",
            "a second",
            [rate for rate, _ in hanging],
            baseline=rates,
            aim="ratio 0.9",
        ),
        Row.of("memory of the worker, all answer", "MB", [peak for _, peak in well]),
        Row.of("memory of the worker, one hangs", "MB", [peak for _, peak in hanging]),
        Row.of("from the transaction to the arrival, p50", "ms", [percentile(times, 50) for times in calm]),
        Row.of("the same, p99, all answer", "ms", slowest),
        Row.of(
            "the same, p99, one hangs",
            "ms",
            [percentile(times, 99) for times in troubled],
            baseline=slowest,
            aim="ratio below 2",
        ),
    ]


PART: Final = Part(
    "Webhooks",
    f"One notifier worker and {ENDPOINTS} endpoints: with {WHOLE.deliveries:,} deliveries waiting, and at"
    f" a steady {STEADY_RATE} a second; in turns with all endpoints answering and with one that accepts"
    " requests and never answers. The ratios compare the two cases for the other 99.",
    measure,
)
