"""The sweep: publishes deliveries that are due and that nobody has published, as after a crash or a pause."""

import asyncio
import random
from collections.abc import Collection
from typing import Final

import structlog

from notifier_worker.metrics import NotifierMetrics
from shared.broker.errors import BrokerFailure, NotAccepted
from shared.broker.interfaces import PublishesNotifications
from shared.broker.messages import NotificationMessage
from shared.notification.kinds import MERCHANT, NOTIFICATION_KINDS
from shared.runtime.resilience import failures_logged, one_of_many
from shared.settings.fields import variable
from shared.storage.db.engine import Database
from shared.storage.webhooks import deliveries

#: Messages for one target in one sweep: enough to fill its places; its backlog is read from the database.
MOST_OF_TARGET: Final = 32
#: How often what waits is counted, and what disabled endpoints left over is ended.
COUNT_SECONDS: Final = 15.0
LEFT_OVER_SECONDS: Final = 2.0

_log = structlog.get_logger()


class Relay:
    """Every notifier worker runs one; each step is a compare-and-set, so that any number may."""

    def __init__(
        self,
        database: Database,
        publisher: PublishesNotifications,
        notifier_metrics: NotifierMetrics,
        rng: random.Random,
        *,
        kinds: Collection[str],
        interval_seconds: float,
    ) -> None:
        """`kinds` are those that this worker delivers: messages for another one would wait for nobody."""
        self._database: Final = database
        self._publisher: Final = publisher
        self._notifier_metrics: Final = notifier_metrics
        self._rng: Final = rng
        self._kinds: Final = kinds
        self._interval_seconds: Final = interval_seconds

    async def run(self) -> None:
        """Sweep until cancelled; what fails is done again by a later sweep."""
        loop = asyncio.get_running_loop()
        next_count = next_left_over = loop.time()
        while True:
            with failures_logged("deliveries not swept"):
                await self.sweep()
            if loop.time() >= next_count:
                with failures_logged("waiting deliveries not counted"):
                    await self.count()
                    next_count = loop.time() + COUNT_SECONDS
            if loop.time() >= next_left_over:
                with failures_logged("deliveries of disabled endpoints not ended"):
                    await self._end_left_over()
                    next_left_over = loop.time() + LEFT_OVER_SECONDS
            await asyncio.sleep(self._interval_seconds * self._rng.uniform(0.75, 1.25))

    async def sweep(self) -> int:
        """Publish what is due; return how many messages. Raises DatabaseUnavailable."""
        sent = 0
        stuck: set[str] = set()
        for kind, target in await deliveries.due_targets(self._database):
            if kind in self._kinds and kind not in stuck:
                published: int | None = 0
                with one_of_many("deliveries not published", target=target):
                    published = await self._publish(kind, target)
                sent += published or 0
                if published is None:
                    stuck.add(kind)
        return sent

    async def _end_left_over(self) -> None:
        """What waits for disabled endpoints is dead; once more at once where there was much of it."""
        while ended := await deliveries.end_left_over(self._database):
            self._notifier_metrics.dead(MERCHANT, "endpoint_disabled", ended)
            if ended < deliveries.LEFT_OVER_AT_ONCE:
                return

    async def _publish(self, kind: str, target: str) -> int | None:
        """Return how many messages were sent; None: the broker takes none now."""
        due = await deliveries.take_to_publish(self._database, target, MOST_OF_TARGET)
        messages = [NotificationMessage(kind, delivery_id, target) for delivery_id in due]
        results = await asyncio.gather(
            *(self._publisher.publish_notification(message) for message in messages), return_exceptions=True
        )
        failures = [result for result in results if isinstance(result, BaseException)]
        for failure in failures:
            if not isinstance(failure, BrokerFailure):
                raise failure
        if not failures:
            return len(messages)
        _log.warning("deliveries not published", target=target, number=len(failures), error=str(failures[0]))
        # Once the broker is back they are late enough.
        refused = [id_ for id_, result in zip(due, results, strict=True) if isinstance(result, NotAccepted)]
        await deliveries.not_published(self._database, refused)
        return None

    async def count(self) -> None:
        """Measure what waits; raises DatabaseUnavailable."""
        waiting = await deliveries.waiting(self._database)
        for kind in NOTIFICATION_KINDS:
            number, oldest_seconds = waiting.get(kind, (0, 0.0))
            self._notifier_metrics.waiting(kind, number, oldest_seconds)
            if number and kind not in self._kinds:
                _log.error(
                    "deliveries wait that this worker has no address for",
                    kind=kind,
                    number=number,
                    setting=variable("hipay_url"),
                )
