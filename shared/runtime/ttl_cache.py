"""A cache of looked-up values, each valid for the same number of seconds."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

from shared.runtime.clock import Clock

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class TtlCache(Generic[Key, Value]):
    """At most `max_entries` values; the ones stored first are dropped for new ones."""

    def __init__(self, clock: Clock, seconds: float, *, max_entries: int) -> None:
        """`seconds` of 0 stores nothing."""
        self._clock: Final = clock
        self._seconds: Final = seconds
        self._max_entries: Final = max_entries
        self._entries: Final[OrderedDict[Key, tuple[float, Value]]] = OrderedDict()

    async def fetch(self, key: Key, fetch: Callable[[], Awaitable[Value]]) -> Value:
        """Return the stored value, else what `fetch` returns; its age counts from before the call."""
        entry = self._valid_entry(key)
        if entry is not None:
            return entry[1]
        asked_at = self._clock.monotonic()
        value = await fetch()
        self.put(key, value, since=asked_at)
        return value

    def get(self, key: Key) -> Value | None:
        """Return the stored value while it is valid, else None."""
        entry = self._valid_entry(key)
        return None if entry is None else entry[1]

    def put(self, key: Key, value: Value, *, since: float) -> None:
        """Store a value that is as old as `since`, in seconds of the monotonic clock."""
        self.discard(key)
        if self._seconds <= 0:
            return
        self._entries[key] = (since, value)
        if len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

    def discard(self, key: Key) -> None:
        self._entries.pop(key, None)

    def clear(self) -> None:
        self._entries.clear()

    def _valid_entry(self, key: Key) -> tuple[float, Value] | None:
        entry = self._entries.get(key)
        if entry is None or self._clock.monotonic() - entry[0] < self._seconds:
            return entry
        del self._entries[key]
        return None
