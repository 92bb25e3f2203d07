"""The clocks of a process, passed as an argument, and their times as text."""

import time
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol, overload

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """A process's source of time; a simulation passes its own."""

    def boot(self) -> float:
        """Return seconds of CLOCK_BOOTTIME, suspended time included: the one clock to limit a write by."""
        ...

    def monotonic(self) -> float:
        """Return seconds of a clock that never steps, for durations that are measured or displayed."""
        ...

    def wall_ms(self) -> int:
        """Return milliseconds since 1970 UTC, to be displayed; no decision depends on it."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def boot(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def monotonic(self) -> float:
        return time.monotonic()

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000


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
