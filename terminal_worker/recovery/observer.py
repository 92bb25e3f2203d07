"""Tells from counters alone which workers are stale. Pure: the time is passed in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

#: Rows of workers without lines are cleared away after a day.
LONG_GONE_SECONDS: Final = 86_400.0


@dataclass(slots=True)
class _Seen:
    counter: int
    since: float


class Observer:
    """One worker's view of the others' counters."""

    def __init__(self, *, stale_seconds: float, heartbeat_seconds: float) -> None:
        self._stale_seconds: Final = stale_seconds
        self._longest_gap_seconds: Final = 2 * heartbeat_seconds
        self._seen: Final[dict[str, _Seen]] = {}
        self._last_at: float | None = None

    def saw(self, counters: Mapping[str, int], *, asked_at: float, answered_at: float) -> set[str]:
        """Note the counters that the database answered with; return the workers that are stale.

        Both times are monotonic seconds. A counter is first seen when the answer is there, and still stands
        when the next question is asked, so a slow answer never makes anybody look staler. A gap of more than
        two beats in the answers starts every count anew: it was perhaps we who slept, or the database that
        kept everybody from beating.
        """
        if self._last_at is not None and answered_at - self._last_at > self._longest_gap_seconds:
            self._seen.clear()
        self._last_at = answered_at
        for worker in self._seen.keys() - counters.keys():
            del self._seen[worker]
        for worker, counter in counters.items():
            seen = self._seen.get(worker)
            if seen is None or seen.counter != counter:
                self._seen[worker] = _Seen(counter, answered_at)
        return {worker for worker, seen in self._seen.items() if asked_at - seen.since >= self._stale_seconds}

    def long_gone(self) -> set[str]:
        """Return the workers whose counter has stood still for a day."""
        if self._last_at is None:
            return set()
        return {
            worker for worker, seen in self._seen.items() if self._last_at - seen.since >= LONG_GONE_SECONDS
        }
