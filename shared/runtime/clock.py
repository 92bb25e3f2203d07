"""The clocks of a process, as an argument: nothing else in it asks for the time."""

import time
from typing import Protocol


class Clock(Protocol):
    """What a shell is given, so that a simulation can give it another time."""

    def boot(self) -> float:
        """Seconds since boot, suspended time included: the only clock that limits a write may trust."""
        ...

    def monotonic(self) -> float:
        """Seconds of a clock that never steps; for durations that are only measured or displayed."""
        ...

    def wall_ms(self) -> int:
        """Milliseconds since 1970 UTC; for people to read, never to decide by."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def boot(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def monotonic(self) -> float:
        return time.monotonic()

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000
