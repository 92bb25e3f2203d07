"""The totalling of past days, by one worker that is elected through the database."""

import asyncio
import random
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from shared.runtime.resilience import failures_logged
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from shared.storage.investigation.day_totals import TASK, total_next_day
from shared.storage.investigation.totals import longest_ms
from shared.storage.retention.lease import LeaseLost, acquire, end

_log = structlog.get_logger()

#: How often the workers look for a day to total.
LOOK_SECONDS: Final = 60.0
#: Pause after each day, so that payments always have their turn.
PAUSE_SECONDS: Final = 0.5


class DayTotals:
    """A worker's part in the totalling."""

    def __init__(self, database: Database, settings: Settings, worker: str, rng: random.Random) -> None:
        self._database: Final = database
        self._zone: Final = ZoneInfo(settings.time_zone)
        self._longest_ms: Final = longest_ms(settings.queue_deadline_seconds)
        self._worker: Final = worker
        self._rng: Final = rng

    async def run(self) -> None:
        """Look until cancelled, with jitter."""
        while True:
            await asyncio.sleep(LOOK_SECONDS * self._rng.uniform(0.5, 1.5))
            with failures_logged("days not totalled"):
                await self.once()

    async def once(self) -> None:
        """Total every day that is due, unless another worker does.

        Raises DatabaseUnavailable, CommitUnknown.
        """
        lease = await acquire(self._database, TASK, self._worker, every_seconds=LOOK_SECONDS / 2)
        if lease is None:
            return
        count = 0
        try:
            while await total_next_day(self._database, lease, self._zone, longest_ms=self._longest_ms):
                count += 1
                await asyncio.sleep(PAUSE_SECONDS)
        except LeaseLost:
            _log.warning("totalling was taken over by another process")
            return
        await end(self._database, lease)
        if count:
            _log.info("days totalled", count=count)
