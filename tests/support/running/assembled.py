"""Processes that run inside the test's own, as their composition roots assembled them."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
from stored.lossy_database import LossyDatabase

from notifier_worker.wiring import NotifierParts
from shared.broker.publisher import Publisher
from shared.broker.replies import ReplyQueue
from shared.metrics.metrics import Metrics
from shared.metrics.reference import CATALOGUE
from shared.storage.terminals.heartbeats import Heartbeats
from terminal_worker.consume import Deliveries
from terminal_worker.recovery.doubt_leases import DoubtLeases
from terminal_worker.run import Runs

#: Every series that a process exports.
EXPORTED: Final = {series for metric in CATALOGUE for series in metric.series}


@dataclass
class Process:
    """One process, its connections to the database and its metrics."""

    database: LossyDatabase
    metrics: Metrics

    def metric(self, name: str, **labels: str) -> float:
        series = f"cloud_terminal_{name}"
        assert series in EXPORTED, "a name that no process exports is always 0"
        return self.metrics.registry.get_sample_value(series, labels) or 0.0


@dataclass
class Api(Process):
    """One API process."""

    client: httpx.AsyncClient
    publisher: Publisher
    replies: ReplyQueue


@dataclass
class Worker(Process):
    """One terminal worker."""

    id: str
    runs: Runs
    doubts: DoubtLeases
    deliveries: Deliveries
    publisher: Publisher
    heartbeats: Heartbeats


@dataclass
class Notifier(Process):
    """One notifier worker."""

    parts: NotifierParts


@asynccontextmanager
async def whole_process(process: Coroutine[Any, Any, None]) -> AsyncIterator["asyncio.Task[None]"]:
    """Run a process as its command does; undo what it keeps to its end: signal handlers, frozen objects."""
    running = asyncio.create_task(process)
    try:
        yield running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        gc.unfreeze()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().remove_signal_handler(number)
