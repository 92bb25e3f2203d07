"""Shows that this worker lives, and notices that others took it for dead.

Nothing else waits in this loop: a broker that takes nothing, or a busy database, must not look like a death.
"""

import asyncio
from typing import Final

from shared.runtime.resilience import failures_logged
from shared.settings.settings import Settings
from shared.storage.terminals.heartbeats import Heartbeats


class TakenForDead(Exception):
    """This worker's row is gone: others have taken its lines over, so it must not go on."""


class Heartbeat:
    """Beats every few seconds until it is cancelled."""

    def __init__(self, heartbeats: Heartbeats, worker: str, settings: Settings) -> None:
        self._heartbeats: Final = heartbeats
        self._worker: Final = worker
        self._settings: Final = settings

    async def run(self) -> None:
        """Raise TakenForDead where the worker's row is gone."""
        while True:
            await asyncio.sleep(self._settings.heartbeat_seconds)
            await self.once()

    async def once(self) -> None:
        """One beat. Raises TakenForDead; what fails now is done at the next beat."""
        alive = True
        with failures_logged("heartbeat not stored"):
            alive = await self._heartbeats.beat(self._worker)
        if not alive:
            raise TakenForDead(f"worker {self._worker} is no longer registered")
