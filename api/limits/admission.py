"""Limits of waiting and open payments, and of the bytes that a merchant may store a day.

The counts of payments are a second old at most: one statement over queued payments, one over open ones, and
the payments that this process accepted since or is storing. They protect the terminals from overload; they
are no lock: several processes may exceed a limit by what they accept within that second.

Bytes are counted beside the payments' own transactions. Every process adds up what it stored, and each
`COUNT_SECONDS` it writes its sums and reads those of the other processes: a limit may be exceeded by what
all of them store in between, and sums that a process had not written when it died are not counted. A payment
costs an addition here; the sums cost a statement and a read for each `COUNT_SECONDS`, only for merchants
that stored something.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from shared.runtime.clock import Clock
from shared.runtime.resilience import failures_logged
from shared.settings.settings import Settings
from shared.storage.db.engine import Database, DatabaseUnavailable
from shared.storage.payments import queue
from shared.storage.terminals import merchant_usage

#: A waiting payment may have been refused its terminal lock an instant ago; so many at once show that the
#: workers are late.
_WAITING_THAT_SHOW_LAG: Final = 5

#: Waiting payments: ("all", ""), ("merchant", id), ("terminal_address", merchant id and address:port);
#: open ones: ("open", merchant id).
_Key = tuple[str, str]


class Slot:
    """One payment that this process accepted."""

    __slots__ = ("count", "keys")

    def __init__(self, keys: tuple[_Key, ...], count: int) -> None:
        self.keys: Final = keys
        #: The number of the database count that does not include it yet.
        self.count: Final = count


class Admission:
    """A counter of waiting and open payments; refuses nothing by itself."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database: Final = database
        self._settings: Final = settings
        self._limits: Final = {
            "all": settings.waiting_limit,
            "merchant": settings.waiting_limit_per_merchant,
            "terminal_address": settings.waiting_limit_per_terminal,
            "open": settings.open_payment_limit_per_merchant,
        }
        self._lag_limit_seconds: Final = settings.worker_lag_limit_seconds
        self._lag_seconds = 0.0
        self._stored: Counter[_Key] = Counter()
        self._accepted: Counter[_Key] = Counter()
        #: Payments that are being stored.
        self._storing: Final[Counter[_Key]] = Counter()
        self._count = 0
        self._is_asked = False
        self._is_waited = False

    def has_room(self, merchant_id: str) -> bool:
        """Return True where one more payment of the merchant may wait and finds a worker soon."""
        self._is_asked = True
        if self._lag_seconds > self._lag_limit_seconds:
            return False
        return all(self._is_below(key) for key in _keys(merchant_id))

    def has_room_at(self, merchant_id: str, terminal_address: str) -> bool:
        """Return True where one more payment of the merchant may wait for this terminal."""
        return self._is_below(_at(merchant_id, terminal_address))

    def may_open(self, merchant_id: str) -> bool:
        """Return True where one more payment of this merchant may be queued, in session or in doubt."""
        self._is_asked = True
        return self._is_below(("open", merchant_id))

    def _is_below(self, key: _Key) -> bool:
        return self._stored[key] + self._accepted[key] + self._storing[key] < self._limits[key[0]]

    @contextmanager
    def storing(self, merchant_id: str, terminal_address: str) -> Iterator[None]:
        """Count a payment as waiting while the block stores it: many at one moment keep to the limits."""
        keys = _all_keys(merchant_id, terminal_address)
        self._storing.update(keys)
        try:
            yield
        finally:
            for key in keys:
                self._storing[key] -= 1
                if not self._storing[key]:
                    del self._storing[key]

    def enter(self, merchant_id: str, terminal_address: str) -> Slot:
        """Count one more waiting payment."""
        slot = Slot(_all_keys(merchant_id, terminal_address), self._count)
        self._accepted.update(slot.keys)
        return slot

    def leave(self, slot: Slot) -> None:
        """Count one waiting payment less; after another database count that count has it."""
        if slot.count == self._count:
            self._accepted.subtract(slot.keys)

    async def run(self) -> None:
        """Count periodically until cancelled; pause while nothing is accepted and nothing waits."""
        while True:
            await asyncio.sleep(self._settings.waiting_count_seconds)
            if not self._is_asked and not self._is_waited:
                continue
            with failures_logged("waiting payments not counted"):
                await self.recount()

    async def recount(self) -> None:
        """Read the counts. Raises DatabaseUnavailable; the counts stay as they were then."""
        # Payments accepted from now on may be in the database's count or not: they are counted beside it.
        self._is_asked = False
        self._count += 1
        self._stored.update(self._accepted)
        self._accepted = Counter()
        stored: Counter[_Key] = Counter()
        lags = [0.0] * _WAITING_THAT_SHOW_LAG
        for queued in await queue.queued_counts(self._database):
            at_terminal = _at(queued.merchant_id, queued.terminal_address)
            for key in (*_keys(queued.merchant_id), at_terminal):
                stored[key] += queued.number
            lags.append(queued.worker_seconds)
        self._is_waited = bool(stored)
        for merchant_id, number in (await queue.open_numbers(self._database)).items():
            stored["open", merchant_id] = number
        self._stored = stored
        self._lag_seconds = sorted(lags)[-_WAITING_THAT_SHOW_LAG]


def _keys(merchant_id: str) -> tuple[_Key, ...]:
    return ("all", ""), ("merchant", merchant_id)


def _at(merchant_id: str, terminal_address: str) -> _Key:
    return "terminal_address", f"{merchant_id} {terminal_address}"


def _all_keys(merchant_id: str, terminal_address: str) -> tuple[_Key, ...]:
    return *_keys(merchant_id), _at(merchant_id, terminal_address), ("open", merchant_id)


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
