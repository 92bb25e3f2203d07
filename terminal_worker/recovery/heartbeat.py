"""The heartbeat of this worker.

Nothing else runs in this loop: a slow broker or a busy database must not look like a dead worker.
"""

import asyncio
from typing import Final

from shared.runtime.resilience import failures_logged
from shared.settings.settings import Settings
from shared.storage.terminals.heartbeats import Heartbeats


class WorkerTakenOver(Exception):
    """Raised where the worker's row is gone: others took its terminal locks over, so it must not go on."""


class Heartbeat:
    """Raises the worker's counter every `heartbeat_seconds` until cancelled."""

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
