"""Times as they are shown: UTC, ISO 8601 with Z and milliseconds."""

from datetime import UTC, datetime, timedelta
from typing import Final, overload

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@overload
def iso_time(milliseconds: int) -> str: ...
@overload
def iso_time(milliseconds: int | None) -> str | None: ...
def iso_time(milliseconds: int | None) -> str | None:
    """Return e.g. `2026-03-05T12:06:58.123Z` for milliseconds since 1970 UTC; None for None."""
    if milliseconds is None:
        return None
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
