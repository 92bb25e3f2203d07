"""Tells the notifier workers of deliveries that this process has just committed.

Nobody waits for it: a payment's answer never stands behind a notification. What is lost here (the process
ends, the broker is away) is found by the notifier workers' sweep.
"""

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Final

import structlog

from shared.broker.connections import connected
from shared.broker.interfaces import NotificationPublisher
from shared.broker.messages import NotificationMessage
from shared.broker.publisher import Publisher
from shared.broker.topology import Topology
from shared.runtime.failpoints import Failpoint, no_failpoint
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import failures_logged
from shared.settings.settings import Settings
from shared.storage.db.engine import Database, WakeUp

#: More than this many unpublished deliveries are left to the sweep, the oldest first.
WAITING_AT_MOST: Final = 10_000
#: Published together; their confirmations come together, too.
BATCH: Final = 100
#: At the end of the process: what is still waiting gets this long.
LAST_SECONDS: Final = 1.0

_log = structlog.get_logger()


@contextlib.asynccontextmanager
async def outbox_publisher(
    database: Database,
    settings: Settings,
    *,
    process: str,
    topology: Topology,
    metrics: Metrics,
    failpoint: Failpoint = no_failpoint,
) -> AsyncIterator["OutboxPublisher"]:
    """Connect on a connection of its own, and hear of the database's commits while the block runs.

    Raises BrokerUnavailable.
    """
    async with connected(settings, process=process, purpose="notify") as connection:
        publisher = await Publisher.open(
            connection, topology, settings=settings, random_bytes=os.urandom, metrics=metrics
        )
        made = OutboxPublisher(publisher, failpoint)
        database.on_committed = made.wake
        try:
            yield made
        finally:
            database.on_committed = None


class OutboxPublisher:
    """`wake` is the database's `on_committed`; `run` publishes beside the process's work."""

    def __init__(self, publisher: NotificationPublisher, failpoint: Failpoint = no_failpoint) -> None:
        self._publisher: Final = publisher
        self._failpoint: Final = failpoint
        self._waiting: Final[deque[WakeUp]] = deque(maxlen=WAITING_AT_MOST)
        self._called: Final = asyncio.Event()

    def wake(self, deliveries: Sequence[WakeUp]) -> None:
        """Note deliveries whose transaction is committed; returns at once."""
        self._waiting.extend(deliveries)
        self._called.set()

    async def run(self) -> None:
        """Publish what is noted until cancelled; then what is left, within a second."""
        try:
            while True:
                await self._called.wait()
                self._called.clear()
                with failures_logged("deliveries left to the sweep"):
                    await self._failpoint("before_waking")
                    await self._publish_all()
        finally:
            try:
                async with asyncio.timeout(LAST_SECONDS):
                    await self._publish_all()
            except TimeoutError:
                _log.info("deliveries left to the sweep", count=len(self._waiting))

    async def _publish_all(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            await asyncio.gather(*(self._publish(wake) for wake in batch))

    async def _publish(self, wake: WakeUp) -> None:
        with failures_logged("delivery left to the sweep", delivery_id=wake.delivery_id):
            await self._publisher.publish_notification(
                NotificationMessage(wake.kind, wake.delivery_id, wake.target)
            )
