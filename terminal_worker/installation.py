"""Counts of the whole installation, which every worker exports: locks, open payments, size, retention."""

import asyncio
import random
from typing import Final

from shared.metrics.catalogue.payments import OPEN_STATES
from shared.metrics.metrics import Metrics
from shared.runtime.resilience import failures_logged
from shared.storage.db.engine import Database
from shared.storage.db.size import database_size
from shared.storage.payments import queue
from shared.storage.retention.ages import retention_ages
from shared.storage.terminals.lock_counts import held_counts

#: Alerts wait for minutes: a count twice a scrape is enough.
COUNT_SECONDS: Final = 5.0
#: PostgreSQL looks at every file of the database for its size; retention moves by the day.
SIZE_SECONDS: Final = 60.0


class InstallationCounts:
    """A loop that counts in the database what the metrics of terminal workers show."""

    def __init__(self, database: Database, metrics: Metrics, rng: random.Random) -> None:
        self._database: Final = database
        self._metrics: Final = metrics
        self._rng: Final = rng

    async def run(self) -> None:
        """Count until cancelled, with jitter: workers that started together must not count together."""
        loop = asyncio.get_running_loop()
        next_size = loop.time()
        while True:
            with failures_logged("installation not counted"):
                await self.count()
                if loop.time() >= next_size:
                    await self.measure()
                    next_size = loop.time() + SIZE_SECONDS
            await asyncio.sleep(COUNT_SECONDS * self._rng.uniform(0.75, 1.25))

    async def measure(self) -> None:
        """Measure the database's size, and the ages of purge and payments. Raises DatabaseUnavailable."""
        self._metrics.database.size(await database_size(self._database))
        ages = await retention_ages(self._database)
        self._metrics.database.retention(
            purged_seconds=ages.purged_seconds, oldest_payment_seconds=ages.oldest_payment_seconds
        )

    async def count(self) -> None:
        """Count open payments and held locks. Raises DatabaseUnavailable."""
        counts = await queue.open_counts(self._database)
        for state in OPEN_STATES:
            count = counts.get(state, queue.NONE_OPEN)
            self._metrics.open_payments(state, count.number, count.oldest_seconds)
        held = await held_counts(self._database)
        self._metrics.terminals.locks(held.by_holder, held.overdue)
