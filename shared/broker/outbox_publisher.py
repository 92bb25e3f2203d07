"""The outbox publisher: wake-ups to the notifier workers for deliveries that this process has just committed.

No request waits for it. A wake-up that is lost (the process ends, the broker is unavailable) is replaced by
the notifier workers' sweep.
"""

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from shared.broker.connections import connected
from shared.broker.interfaces import NotificationPublisher
from shared.broker.messages import NotificationMessage
from shared.broker.publisher import Publisher
from shared.broker.topology import Topology
from shared.metrics.metrics import Metrics
from shared.runtime.logging import bound, bound_request
from shared.runtime.resilience import Failpoint, failures_logged, no_failpoint
from shared.settings.settings import Settings
from shared.storage.db.engine import Database, WakeUp
from shared.tracing.context import TraceContext
from shared.tracing.spans import continued, current

#: Above this number the oldest unpublished deliveries are left to the sweep.
MAX_WAITING: Final = 10_000
#: Messages published concurrently, since each waits for its confirmation.
BATCH: Final = 100
#: Time for the remaining messages at the end of the process.
DRAIN_SECONDS: Final = 1.0

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
    """Connect, and subscribe to the database's commits while the block runs. Raises BrokerUnavailable."""
    async with connected(settings, process=process, purpose="notify", metrics=metrics) as connection:
        publisher = await Publisher.open(
            connection, topology, settings=settings, random_bytes=os.urandom, metrics=metrics
        )
        outbox = OutboxPublisher(publisher, failpoint)
        database.on_committed = outbox.wake
        try:
            yield outbox
        finally:
            database.on_committed = None


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A wake-up, with the request and the trace whose transaction wrote its delivery."""

    wake_up: WakeUp
    request_id: str | None
    trace: TraceContext | None


class OutboxPublisher:
    """A queue of wake-ups: `wake` is the database's `on_committed`, `run` publishes in the background."""

    def __init__(self, publisher: NotificationPublisher, failpoint: Failpoint = no_failpoint) -> None:
        self._publisher: Final = publisher
        self._failpoint: Final = failpoint
        self._waiting: Final[deque[_Waiting]] = deque(maxlen=MAX_WAITING)
        self._called: Final = asyncio.Event()

    def wake(self, deliveries: Sequence[WakeUp]) -> None:
        """Queue wake-ups for deliveries whose transaction is committed; return at once."""
        request_id, trace = bound_request(), current()
        self._waiting.extend(_Waiting(delivery, request_id, trace) for delivery in deliveries)
        self._called.set()

    async def run(self) -> None:
        """Publish what is queued until cancelled; then publish the rest within DRAIN_SECONDS."""
        try:
            while True:
                await self._called.wait()
                self._called.clear()
                with failures_logged("deliveries left to the sweep"):
                    await self._failpoint("before_waking")
                    await self._publish_all()
        finally:
            try:
                async with asyncio.timeout(DRAIN_SECONDS):
                    await self._publish_all()
            except TimeoutError:
                _log.info("deliveries left to the sweep", count=len(self._waiting))

    async def _publish_all(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            await asyncio.gather(*map(self._publish, batch))

    async def _publish(self, waiting: _Waiting) -> None:
        wake = waiting.wake_up
        with (
            bound(delivery_id=wake.delivery_id, request_id=waiting.request_id),
            continued(waiting.trace),
            failures_logged("delivery left to the sweep"),
        ):
            await self._publisher.publish_notification(
                NotificationMessage(wake.kind, wake.delivery_id, wake.target)
            )
