"""Readiness of this process for payments: database, publishing, replies."""

import asyncio
from collections.abc import Mapping
from typing import Final

from shared.runtime.clock import Clock
from shared.runtime.management import ReadyCheck
from shared.storage.db.engine import Database, DatabaseUnavailable
from shared.storage.payments import snapshots

#: No credential is needed, and a check costs the broker several calls.
_REUSED_SECONDS: Final = 0.5


class Readiness:
    """Checks of every dependency; each returns None, or one sentence on what is missing."""

    def __init__(self, checks: Mapping[str, ReadyCheck], clock: Clock) -> None:
        self.checks: Final = checks
        self._clock: Final = clock
        self._check: asyncio.Task[str | None] | None = None
        self._checked_at = 0.0

    async def missing(self) -> str | None:
        """Return the first missing dependency, or None, as it was up to 0.5 s ago; requests share a check."""
        if self._check is None or (
            self._check.done() and self._clock.monotonic() - self._checked_at >= _REUSED_SECONDS
        ):
            self._check = asyncio.create_task(self._first_missing(), name="readiness")
        # A client that leaves ends its own request only.
        return await asyncio.shield(self._check)

    async def _first_missing(self) -> str | None:
        try:
            return await self._run_checks()
        finally:
            self._checked_at = self._clock.monotonic()

    async def _run_checks(self) -> str | None:
        for name, check in self.checks.items():
            problem = await _answer(check)
            if problem is not None:
                return f"{name}: {problem}"
        return None


async def _answer(check: ReadyCheck) -> str | None:
    try:
        return await check()
    except Exception as error:
        return f"the check failed: {type(error).__name__}"


def database_check(database: Database) -> ReadyCheck:
    """Return the check that the database answers."""

    async def check() -> str | None:
        try:
            await snapshots.states(database, [])
        except DatabaseUnavailable as error:
            return f"database unavailable: {error}"
        return None

    return check
