"""The times of credentials' last uses, stored once a minute: a request writes nothing."""

import asyncio
from typing import Final

from shared.runtime.resilience import failures_logged
from shared.storage.administration import credential_register
from shared.storage.db.engine import Database

STORE_SECONDS: Final = 60.0
#: Ids of one statement.
_BATCH: Final = 1000


class LastUses:
    """The names of credentials that were used since they were last stored."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database
        self._used: set[str] = set()

    def add(self, name: str) -> None:
        """Note a use."""
        self._used.add(name)

    async def run(self) -> None:
        """Store periodically until cancelled, and then once more."""
        try:
            while True:
                await asyncio.sleep(STORE_SECONDS)
                with failures_logged("last uses of credentials not stored"):
                    await self.store()
        finally:
            with failures_logged("last uses of credentials not stored"):
                await self.store()

    async def store(self) -> None:
        """Store what was used; a part that fails is kept for the next time.

        Raises DatabaseUnavailable, CommitUnknown.
        """
        while self._used:
            names = sorted(self._used)[:_BATCH]
            self._used.difference_update(names)
            try:
                await credential_register.store_uses(self._database, names)
            except Exception:
                self._used.update(names)
                raise
