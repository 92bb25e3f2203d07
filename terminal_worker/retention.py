"""The daily purge of old payments and deliveries, by one worker that is elected through the database."""

import asyncio
import random
from collections import Counter
from typing import Final

import structlog

from shared.metrics.metrics import Metrics
from shared.runtime.resilience import failures_logged
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from shared.storage.retention.lease import LeaseLost, acquire
from shared.storage.retention.run import TASK, Kept, purge_all

_log = structlog.get_logger()

EVERY_SECONDS: Final = 86_400.0
#: How often a worker looks whether the purge is due.
LOOK_SECONDS: Final = 600.0


class Retention:
    """A worker's part in the purge."""

    def __init__(
        self, database: Database, metrics: Metrics, settings: Settings, worker: str, rng: random.Random
    ) -> None:
        self._database: Final = database
        self._metrics: Final = metrics
        self._kept: Final = Kept(settings.retention_days, settings.delivery_retention_days)
        self._worker: Final = worker
        self._rng: Final = rng

    async def run(self) -> None:
        """Look until cancelled, with jitter: one of the workers purges once a day."""
        while True:
            await asyncio.sleep(LOOK_SECONDS * self._rng.uniform(0.5, 1.5))
            with failures_logged("purge interrupted"):
                await self.once()

    async def once(self) -> None:
        """Purge if it is due and no other worker does. Raises DatabaseUnavailable, CommitUnknown."""
        lease = await acquire(self._database, TASK, self._worker, every_seconds=EVERY_SECONDS)
        if lease is None:
            return
        _log.info("purge began", payment_days=self._kept.payment_days, delivery_days=self._kept.delivery_days)
        counted: Counter[str] = Counter()

        def count(deleted: Counter[str]) -> None:
            # After each step: what an interrupted purge deleted is counted, too.
            with failures_logged("purged rows not counted"):
                self._metrics.database.purged(deleted - counted)
                counted.update(deleted - counted)

        try:
            deleted = await purge_all(self._database, lease, self._kept, count)
        except LeaseLost:
            _log.warning("purge was taken over by another process")
            return
        _log.info("purge ended", **deleted)
