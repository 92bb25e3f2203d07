"""Tells who watches a terminal that something on it has changed."""

import asyncio
from collections.abc import AsyncIterator


class Changes:
    """A counter that can be waited for. Who is slow misses steps in between, never the last one."""

    def __init__(self) -> None:
        self.number = 0
        self._news = asyncio.Event()
        self._followers = 0
        self._is_closed = False

    @property
    def is_followed(self) -> bool:
        return self._followers > 0

    def tell(self) -> None:
        """Something has changed."""
        self.number += 1
        if self._followers:
            self._wake()

    async def follow(self) -> AsyncIterator[int]:
        """Yield the counter now and after every change, until closed."""
        self._followers += 1
        try:
            seen = -1
            while not self._is_closed:
                news = self._news
                if self.number != seen:
                    seen = self.number
                    yield seen
                else:
                    await news.wait()
        finally:
            self._followers -= 1

    def close(self) -> None:
        """End everybody's waiting, so that a server with open streams can stop."""
        self._is_closed = True
        self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
