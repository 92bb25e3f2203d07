"""Limit of one merchant's requests that wait for a payment which another request began.

A first order waits only where it was accepted. A repeated one, or a reader that waits, stores nothing:
without a limit one merchant could hold any number of connections, 20 to 35 kB each, for minutes.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final


class AttachedRequests:
    """A counter of this process's attached requests, by merchant."""

    def __init__(self, limit: int) -> None:
        self._limit: Final = limit
        self._waiting: Final[Counter[str]] = Counter()

    @contextmanager
    def one_more(self, merchant_id: str) -> Iterator[bool]:
        """Count a request while the block runs; False: its merchant has too many, so it must not wait."""
        may_wait = self._waiting[merchant_id] < self._limit
        self._waiting[merchant_id] += 1
        try:
            yield may_wait
        finally:
            self._waiting[merchant_id] -= 1
            if not self._waiting[merchant_id]:
                del self._waiting[merchant_id]
