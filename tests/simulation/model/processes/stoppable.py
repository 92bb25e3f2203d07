"""Process that works until it is stopped, as terminal and notifier workers do, in the simulated world."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from shared.storage.db.engine import CommitUnknown, DatabaseUnavailable
from tests.simulation.database.thin import is_refused
from tests.simulation.engine.surroundings import Surroundings
from tests.simulation.model.processes.process import Process


class StoppableProcess(ABC):
    """One start of a worker; it ends by itself only when it is stopped or cannot work."""

    def __init__(self, around: Surroundings, name: str) -> None:
        self.process = Process(around.stage, name)
        self._around = around
        self._stopped = asyncio.Event()
        self.process.spawn(self._guarded())

    def stop(self) -> None:
        """Ask it to end, as SIGTERM does."""
        self._around.stage.note("stopped", self.process.name)
        self.process.is_stopping = True
        self._around.stage.loop.call_soon(self._stopped.set, context=self.process.context)

    async def _guarded(self) -> None:
        try:
            await self._run()
        except (DatabaseUnavailable, CommitUnknown) as error:
            self._around.stage.note("failed", self.process.name, error=repr(error))
        except Exception as error:
            if not is_refused(error):
                self._around.unexpected(self.process.name, error)
        self.process.end()

    @abstractmethod
    async def _run(self) -> None:
        """Work until stopped, then end in order."""

    async def _stopped_or_ended(self, background: "Iterable[asyncio.Task[Any]]") -> None:
        stopped = asyncio.create_task(self._stopped.wait())
        await asyncio.wait([*background, stopped], return_when=asyncio.FIRST_COMPLETED)
