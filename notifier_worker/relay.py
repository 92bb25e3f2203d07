"""The sweep for deliveries that are due and unpublished, after a crash, a lost message or a retry's pause."""

import asyncio
import random
from collections.abc import Collection, Mapping
from typing import Final

import structlog

from notifier_worker.metrics import NotifierMetrics
from shared.broker.errors import BrokerFailure, NotAccepted
from shared.broker.interfaces import NotificationPublisher
from shared.broker.messages import NotificationMessage
from shared.notification.kinds import MERCHANT
from shared.runtime.outage_lines import log_outage
from shared.runtime.resilience import failures_logged, one_of_many
from shared.settings.fields import variable
from shared.storage.db.engine import Database
from shared.storage.investigation.origins import UNKNOWN, Origin, origins_of_deliveries, working_for
from shared.storage.webhooks import delivery_sweep

#: Messages for one target in one sweep. If there are more deliveries, the messages say so, and the workers
#: that get one read the others from the database.
MOST_OF_TARGET: Final = 4
#: Interval between counts of the waiting deliveries.
COUNT_SECONDS: Final = 15.0
#: Interval at which the deliveries of disabled endpoints are ended.
LEFT_OVER_SECONDS: Final = 2.0

_log = structlog.get_logger()


class Relay:
    """One worker's sweep; each step is a compare-and-set, so that any number of workers may run one."""

    def __init__(
        self,
        database: Database,
        publisher: NotificationPublisher,
        notifier_metrics: NotifierMetrics,
        rng: random.Random,
        *,
        kinds: Collection[str],
        interval_seconds: float,
    ) -> None:
        """`kinds` are those that this worker delivers; messages of another kind might have no consumer."""
        self._database: Final = database
        self._publisher: Final = publisher
        self._notifier_metrics: Final = notifier_metrics
        self._rng: Final = rng
        self._kinds: Final = kinds
        self._interval_seconds: Final = interval_seconds

    async def run(self) -> None:
        """Sweep until cancelled; a later sweep repeats what failed."""
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
        """Publish the deliveries that are due; return the number of messages. Raises DatabaseUnavailable."""
        sent = 0
        stuck: set[str] = set()
        for kind, target in await delivery_sweep.due_targets(self._database):
            if kind in self._kinds and kind not in stuck:
                published: int | None = 0
                with one_of_many("deliveries not published", target=target):
                    published = await self._publish(kind, target)
                sent += published or 0
                if published is None:
                    stuck.add(kind)
        return sent

    async def _end_left_over(self) -> None:
        """End the deliveries that wait for disabled endpoints, in batches until none is left."""
        while ended := await delivery_sweep.end_deliveries_of_disabled(self._database):
            self._notifier_metrics.gave_up(MERCHANT, "endpoint_disabled", ended)
            if ended < delivery_sweep.ENDED_AT_ONCE:
                return

    async def _publish(self, kind: str, target: str) -> int | None:
        """Return the number of messages sent; None: the broker does not accept any now."""
        due = await delivery_sweep.claim_to_publish(self._database, target, MOST_OF_TARGET)
        more = len(due) == MOST_OF_TARGET
        messages = [NotificationMessage(kind, delivery_id, target, more) for delivery_id in due]
        known: Mapping[str, Origin] = {}
        # They serve logs and traces: a delivery does not wait for them.
        with failures_logged("origins of deliveries not read"):
            known = await origins_of_deliveries(self._database, due)
        results = await asyncio.gather(
            *(self._publish_for(message, known) for message in messages), return_exceptions=True
        )
        failures = [result for result in results if isinstance(result, BaseException)]
        for failure in failures:
            if not isinstance(failure, BrokerFailure):
                raise failure
        if not failures:
            return len(messages)
        fields = {"target": target, "count": len(failures), "error": str(failures[0])}
        log_outage("broker", "deliveries not published", **fields)
        # They are published at once when the broker is back.
        refused = [id_ for id_, result in zip(due, results, strict=True) if isinstance(result, NotAccepted)]
        await delivery_sweep.not_published(self._database, refused)
        return None

    async def _publish_for(self, message: NotificationMessage, known: Mapping[str, Origin]) -> None:
        origin = known.get(message.delivery_id, UNKNOWN)
        with working_for(origin, delivery_id=message.delivery_id):
            await self._publisher.publish_notification(message)

    async def count(self) -> None:
        """Measure the waiting deliveries; raise DatabaseUnavailable."""
        waiting = await delivery_sweep.waiting_counts(self._database)
        self._notifier_metrics.waiting(waiting, await delivery_sweep.paused_targets(self._database))
        for kind in waiting.keys() - set(self._kinds):
            _log.error(
                "deliveries waiting for an address that is not set",
                kind=kind,
                count=waiting[kind].number,
                setting=variable("hipay_url"),
            )
