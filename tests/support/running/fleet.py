"""Real processes of the command line, with their logs in a folder."""

import contextlib
import json
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from shared.runtime.processes import Fleet, Process
from shared.settings.fields import variable

__all__ = ["REPOSITORY", "Fleet", "Process", "environment_of", "fleet_of"]

REPOSITORY = Path(__file__).parents[3]


def environment_of(settings: Mapping[str, object]) -> dict[str, str]:
    """Return this process's environment with the settings as variables."""
    return {**os.environ, **{variable(name): _text(value) for name, value in settings.items()}}


def _text(value: object) -> str:
    return json.dumps(value) if isinstance(value, tuple) else str(value)


@contextlib.asynccontextmanager
async def fleet_of(settings: Mapping[str, object], folder: Path) -> AsyncIterator[Fleet]:
    """Yield an empty fleet; stop at the end what was started."""
    fleet = Fleet(environment_of(settings), folder, cwd=REPOSITORY)
    try:
        yield fleet
    finally:
        await fleet.stop()
