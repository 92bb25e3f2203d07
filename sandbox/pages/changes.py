"""Change counter that streams of a page follow."""

import asyncio
from collections.abc import AsyncIterator


class Changes:
    """A counter that can be waited for; a slow follower misses numbers in between, never the last one."""

    def __init__(self) -> None:
        self.number = 0
        self._changed = asyncio.Event()
        self._followers = 0
        self._is_closed = False

    @property
    def is_followed(self) -> bool:
        return self._followers > 0

    def notify(self) -> None:
        """Count a change and wake the followers."""
        self.number += 1
        if self._followers:
            self._wake()

    async def follow(self) -> AsyncIterator[int]:
        """Yield the counter now and after every change, until closed."""
        self._followers += 1
        try:
            seen = -1
            while not self._is_closed:
                changed = self._changed
                if self.number != seen:
                    seen = self.number
                    yield seen
                else:
                    await changed.wait()
        finally:
            self._followers -= 1

    def close(self) -> None:
        """End all followers, so that a server with open streams can stop."""
        self._is_closed = True
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
