"""A clock that a test moves by hand."""

from shared.runtime.clock import SystemClock


class HandClock(SystemClock):
    """A clock whose time, in seconds, is `now`."""

    now = 100.0

    def boot(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now
