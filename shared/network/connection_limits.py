"""Connections of clients that nobody knows yet, counted by address."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from shared.network.client_addresses import counted_as
from shared.network.public_addresses import Network


class TooManyStrangers(Exception):
    """An address has as many connections without a log-in as it may."""


class Strangers:
    """Counts the connections of each address on which nobody has logged in yet."""

    def __init__(self, limit: int, exempt: Sequence[Network]) -> None:
        """`exempt` are proxies, which stand for many clients."""
        self._limit: Final = limit
        self._exempt: Final = tuple(exempt)
        self._counts: Final[Counter[str]] = Counter()

    def enter(self, host: str | None) -> str | None:
        """Return what is to be left again, None where it does not count. Raises TooManyStrangers."""
        key = counted_as(host, self._exempt)
        if key is None:
            return None
        if self._counts[key] >= self._limit:
            raise TooManyStrangers
        self._counts[key] += 1
        return key

    def leave(self, key: str) -> None:
        self._counts[key] -= 1
        if self._counts[key] <= 0:
            del self._counts[key]
