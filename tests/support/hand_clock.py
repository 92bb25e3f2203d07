"""A clock that a test moves by hand."""

from shared.runtime.clock import SystemClock


class HandClock(SystemClock):
    """A clock whose monotonic time, in seconds, is `now`."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now
