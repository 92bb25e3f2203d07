"""The heartbeat of this worker, and the observer of the others' heartbeats."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.runtime.resilience import failures_logged
from shared.settings.settings import Settings
from shared.storage.terminals.heartbeats import Heartbeats


class WorkerTakenOver(Exception):
    """Raised where the worker's row is gone: others took its terminal locks over, so it must not go on."""


class Heartbeat:
    """Raises the worker's counter every `heartbeat_seconds` until cancelled.

    Nothing else runs in its loop: a slow broker or a busy database must not look like a dead worker.
    """

    def __init__(self, heartbeats: Heartbeats, worker: str, settings: Settings) -> None:
        self._heartbeats: Final = heartbeats
        self._worker: Final = worker
        self._settings: Final = settings

    async def run(self) -> None:
        """Beat until cancelled. Raises WorkerTakenOver where the worker's row is gone."""
        while True:
            await asyncio.sleep(self._settings.heartbeat_seconds)
            await self.once()

    async def once(self) -> None:
        """Beat once. Raises WorkerTakenOver; a failure is retried at the next beat."""
        alive = True
        with failures_logged("heartbeat not stored"):
            alive = await self._heartbeats.beat(self._worker)
        if not alive:
            raise WorkerTakenOver(f"worker {self._worker} is no longer registered")


#: Rows of workers without terminal locks are deleted after a day.
GONE_AFTER_SECONDS: Final = 86_400.0


@dataclass(slots=True)
class _Counter:
    counter: int
    since: float


class Observer:
    """One worker's record of the others' counters; the time is passed in."""

    def __init__(self, *, stale_seconds: float, heartbeat_seconds: float) -> None:
        self._stale_seconds: Final = stale_seconds
        self._longest_gap_seconds: Final = 2 * heartbeat_seconds
        self._counters: Final[dict[str, _Counter]] = {}
        self._last_at: float | None = None

    def stale_workers(self, counters: Mapping[str, int], *, asked_at: float, answered_at: float) -> set[str]:
        """Record the counters of a database answer; return the stale workers.

        Both times are monotonic seconds. A counter is first seen when an answer has come, and still unchanged
        when the next one is asked for, so a slow answer makes no worker staler. A gap of more than two beats
        between answers starts every count anew: this process may have slept, or the database may have kept
        every worker from beating.
        """
        if self._last_at is not None and answered_at - self._last_at > self._longest_gap_seconds:
            self._counters.clear()
        self._last_at = answered_at
        for worker in self._counters.keys() - counters.keys():
            del self._counters[worker]
        for worker, counter in counters.items():
            known = self._counters.get(worker)
            if known is None or known.counter != counter:
                self._counters[worker] = _Counter(counter, answered_at)
        return {
            worker
            for worker, known in self._counters.items()
            if asked_at - known.since >= self._stale_seconds
        }

    def gone_workers(self) -> set[str]:
        """Return the workers whose counter has stood still for a day."""
        if self._last_at is None:
            return set()
        return {
            worker
            for worker, known in self._counters.items()
            if self._last_at - known.since >= GONE_AFTER_SECONDS
        }
