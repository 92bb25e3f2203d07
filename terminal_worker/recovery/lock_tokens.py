"""The tokens with which this process may hold a terminal's line: kept from before the claim to the run's end.

A line of this worker with another token belongs to nobody: whatever took it has ended with an error.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class LockTokens:
    """The tokens of payments and probes that are under way; lines in doubt are known to `Doubts`."""

    def __init__(self) -> None:
        self._in_use: set[str] = set()

    @contextmanager
    def in_use(self, token: str) -> Iterator[None]:
        """Keep the token while the block runs; begin before the claim is sent that names it."""
        self._in_use.add(token)
        try:
            yield
        finally:
            self._in_use.discard(token)

    def now(self) -> frozenset[str]:
        """Return the tokens of this moment."""
        return frozenset(self._in_use)
