"""The room for one more payment: waiting in all, of its merchant, of its merchant at its line; open at all.

The counts are a second old at most: one statement over what is queued, one over what is open, and what this
process took in since. They keep an overload away from the terminals; they are no lock, and many requests at
the same moment may pass a limit by their number.
"""

import asyncio
from collections import Counter
from typing import Final

from shared.runtime.resilience import failures_logged
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from shared.storage.payments import queue

#: One that waits may have been refused its line an instant ago; so many at once show that the workers are
#: late.
_LINES_THAT_SHOW_LAG: Final = 5

#: What is counted: ("all", ""), ("merchant", id), ("terminal_address", merchant id and address:port),
#: and what is open: ("open", merchant id).
_Key = tuple[str, str]


class Place:
    """One payment that this process took in."""

    __slots__ = ("count", "keys")

    def __init__(self, keys: tuple[_Key, ...], count: int) -> None:
        self.keys: Final = keys
        #: Since which count of what waits it is one more.
        self.count: Final = count


class Admission:
    """Counts what waits; refuses nothing by itself."""

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
        self._taken_in: Counter[_Key] = Counter()
        self._count = 0
        self._is_asked = False
        self._is_waited = False

    def has_room(self, merchant_id: str, terminal_address: str) -> bool:
        """Tell whether one more payment of this merchant may wait for this line, and finds a worker soon."""
        self._is_asked = True
        if self._lag_seconds > self._lag_limit_seconds:
            return False
        return all(self._is_below(key) for key in _keys(merchant_id, terminal_address))

    def may_open(self, merchant_id: str) -> bool:
        """Tell whether one more payment of this merchant may be queued, in session or in doubt."""
        self._is_asked = True
        return self._is_below(("open", merchant_id))

    def _is_below(self, key: _Key) -> bool:
        return self._stored[key] + self._taken_in[key] < self._limits[key[0]]

    def enter(self, merchant_id: str, terminal_address: str) -> Place:
        """One more waits."""
        place = Place((*_keys(merchant_id, terminal_address), ("open", merchant_id)), self._count)
        self._taken_in.update(place.keys)
        return place

    def leave(self, place: Place) -> None:
        """It waits no more. What was counted by the database meanwhile is left to the next count."""
        if place.count == self._count:
            self._taken_in.subtract(place.keys)

    async def run(self) -> None:
        """Count again and again until cancelled; rest while nothing comes and nothing waits."""
        while True:
            await asyncio.sleep(self._settings.waiting_count_seconds)
            if not self._is_asked and not self._is_waited:
                continue
            with failures_logged("waiting payments not counted"):
                await self.recount()

    async def recount(self) -> None:
        """Ask the database. Raises DatabaseUnavailable; the counts stay as they were then."""
        # What comes from now on may be in the database's count or not: it is counted beside it.
        self._is_asked = False
        self._count += 1
        self._stored.update(self._taken_in)
        self._taken_in = Counter()
        stored: Counter[_Key] = Counter()
        lags = [0.0] * _LINES_THAT_SHOW_LAG
        for queued in await queue.queued_counts(self._database):
            for key in _keys(queued.merchant_id, queued.terminal_address):
                stored[key] += queued.number
            lags.append(queued.worker_seconds)
        self._is_waited = bool(stored)
        for merchant_id, number in (await queue.open_numbers(self._database)).items():
            stored["open", merchant_id] = number
        self._stored = stored
        self._lag_seconds = sorted(lags)[-_LINES_THAT_SHOW_LAG]


def _keys(merchant_id: str, terminal_address: str) -> tuple[_Key, ...]:
    return ("all", ""), ("merchant", merchant_id), ("terminal_address", f"{merchant_id} {terminal_address}")
