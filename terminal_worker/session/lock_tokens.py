"""The lock tokens that this process's tasks own."""

from collections.abc import Iterator
from contextlib import contextmanager


class LockTokens:
    """The tokens of this process's running payments and probes; `DoubtLeases` knows those of its leases.

    A lock of this worker with another token has no owner: the run that acquired it ended with an error.
    """

    def __init__(self) -> None:
        self._in_use: set[str] = set()

    @contextmanager
    def in_use(self, token: str) -> Iterator[None]:
        """Keep the token while the block runs; begin before the claim with this token is sent."""
        self._in_use.add(token)
        try:
            yield
        finally:
            self._in_use.discard(token)

    def now(self) -> frozenset[str]:
        """Return the tokens in use at this moment."""
        return frozenset(self._in_use)
