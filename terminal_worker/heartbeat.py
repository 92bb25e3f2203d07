"""Shows that this worker lives, and notices that others took it for dead.

Nothing else waits in this loop: a broker that takes nothing, or a busy database, must not look like a death.
"""

import asyncio
from typing import Final

import structlog

from shared.settings.settings import Settings
from shared.storage.engine import CommitUnknown, DatabaseAway
from shared.storage.heartbeats import Heartbeats

_log = structlog.get_logger()


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
        """One beat. Raises TakenForDead; what the database cannot do now is done at the next beat."""
        try:
            alive = await self._heartbeats.beat(self._worker)
        except (DatabaseAway, CommitUnknown) as error:
            _log.warning("heartbeat not stored", error=str(error))
            return
        if not alive:
            raise TakenForDead(f"worker {self._worker} is no longer registered")
