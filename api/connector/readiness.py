"""Whether this process can take payments now: database, publishing, replies."""

from collections.abc import Mapping
from typing import Final

from shared.runtime.management import ReadyCheck
from shared.storage.db.engine import Database, DatabaseAway
from shared.storage.payments import waiting


class Readiness:
    """Asks every part; a part answers None, or one sentence that says what is missing."""

    def __init__(self, checks: Mapping[str, ReadyCheck]) -> None:
        self.checks: Final = checks

    async def missing(self) -> str | None:
        """Return what is missing first, or None."""
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
            await waiting.states(database, [])
        except DatabaseAway as error:
            return f"database away: {error}"
        return None

    return check
