"""Bytes of orders that each merchant may store a day, counted beside the payments' own transactions.

Every process adds up what it stored, and each `COUNT_SECONDS` it writes its sums and reads those of the other
processes: a limit may be exceeded by what all of them store in between, and sums that a process had not
written when it died are not counted. A payment costs an addition here; the sums cost a statement and a read
for each `COUNT_SECONDS`, only for merchants that stored something.
"""

import asyncio
from collections import Counter
from typing import Final

from shared.runtime.clock import Clock
from shared.runtime.resilience import failures_logged
from shared.settings.settings import Settings
from shared.storage.db.engine import Database, DatabaseUnavailable
from shared.storage.terminals import merchant_usage

COUNT_SECONDS: Final = 10.0
#: Before the end of the database's day is known.
_FIRST_RETRY_SECONDS: Final = 60.0


class StoredBytes:
    """A counter of today's bytes, UTC by the database's clock; refuses nothing by itself."""

    def __init__(self, database: Database, clock: Clock, settings: Settings) -> None:
        self._database: Final = database
        self._clock: Final = clock
        self._limit: Final = settings.stored_megabytes_per_day * 1_000_000
        #: The database's sums of the merchants that stored something here today.
        self._stored: Counter[str] = Counter()
        #: Not written yet.
        self._added: Counter[str] = Counter()
        self._day: int | None = None
        self._day_ends_at: float | None = None

    def has_room(self, merchant_id: str, request: str) -> bool:
        """Return True where the merchant may store one more order of this size today."""
        return self._stored[merchant_id] + self._added[merchant_id] + _size(request) <= self._limit

    def add(self, merchant_id: str, request: str) -> None:
        """Count an order that was stored."""
        self._added[merchant_id] += _size(request)

    @property
    def day_left_seconds(self) -> float:
        """Seconds until the next day."""
        if self._day_ends_at is None:
            return _FIRST_RETRY_SECONDS
        return max(1.0, self._day_ends_at - self._clock.monotonic())

    async def run(self) -> None:
        """Count periodically until cancelled; pause while nothing is stored and the day goes on."""
        while True:
            await asyncio.sleep(COUNT_SECONDS)
            day_is_over = self._day_ends_at is not None and self._clock.monotonic() >= self._day_ends_at
            if self._added or (day_is_over and self._stored):
                with failures_logged("stored bytes not counted"):
                    await self.count()

    async def count(self) -> None:
        """Write the sums and read those of all processes. Raises DatabaseUnavailable, CommitUnknown."""
        added, self._added = self._added, Counter()
        merchant_ids = sorted({*self._stored, *added})
        try:
            today = await merchant_usage.add_bytes(
                self._database, added, merchant_ids, forgets=self._day is None
            )
        except DatabaseUnavailable:
            self._added.update(added)
            raise
        self._day, self._stored = today.day, Counter(today.bytes)
        self._day_ends_at = self._clock.monotonic() + today.left_seconds


def _size(request: str) -> int:
    return len(request.encode("utf-8", "surrogatepass"))
