"""Readiness of this process for payments: database, publishing, replies."""

import asyncio
import math
from collections.abc import Mapping
from typing import Final

from shared.runtime.clock import Clock
from shared.runtime.management import ReadyCheck
from shared.storage.db.engine import Database, DatabaseUnavailable
from shared.storage.payments import snapshots

#: No credential is needed, and a check costs the broker several calls.
_REUSED_SECONDS: Final = 0.5
#: A check of a busy process takes some hundred milliseconds, for which no request has to wait.
_VALID_SECONDS: Final = 2.0


class Readiness:
    """Checks of every dependency; each returns None, or one sentence on what is missing."""

    def __init__(self, checks: Mapping[str, ReadyCheck], clock: Clock) -> None:
        self.checks: Final = checks
        self._clock: Final = clock
        self._check: asyncio.Task[str | None] | None = None
        self._found: str | None = None
        self._checked_at: float | None = None

    async def missing(self) -> str | None:
        """Return the first missing dependency, or None, as it was up to 2 s ago; requests share a check.

        From 0.5 s on a new check runs meanwhile.
        """
        age = math.inf if self._checked_at is None else self._clock.monotonic() - self._checked_at
        if age < _REUSED_SECONDS:
            return self._found
        if self._check is None or self._check.done():
            self._check = asyncio.create_task(self._first_missing(), name="readiness")
        if age < _VALID_SECONDS:
            return self._found
        # A client that leaves ends its own request only.
        return await asyncio.shield(self._check)

    async def _first_missing(self) -> str | None:
        self._found = await self._run_checks()
        self._checked_at = self._clock.monotonic()
        return self._found

    async def _run_checks(self) -> str | None:
        # Together: each waits several turns of a busy event loop.
        problems = await asyncio.gather(*map(_answer, self.checks.values()))
        missing = (
            f"{name}: {problem}" for name, problem in zip(self.checks, problems, strict=True) if problem
        )
        return next(missing, None)


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
