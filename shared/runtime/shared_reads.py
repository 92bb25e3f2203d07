"""Reads that many requests share: batches of keys, and a cache of looked-up values.

Keys that are requested while a statement runs go together into the next one. A request is never delayed to
fill a batch: a single one gets a statement of its own at once.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Generic, TypeVar

from shared.runtime.clock import Clock
from shared.runtime.turns import Turns

Key = TypeVar("Key")
Value = TypeVar("Value")


class Batches(Generic[Key, Value]):
    """A query of many callers, one statement at a time.

    The cancellation of one caller does not affect the others. An error of the statement is raised in every
    caller of its batch, and only there.
    """

    def __init__(
        self, query: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Value]]], *, most: int
    ) -> None:
        """`query` answers a batch of at most `most` different keys."""
        self._query: Final = query
        self._most: Final = most
        self._waiting: Final[dict[Key, asyncio.Future[Value | None]]] = {}
        self._task: asyncio.Task[None] | None = None
        #: Hundreds of callers go on from one statement.
        self._turns: Final = Turns()

    @property
    def is_idle(self) -> bool:
        """True while nothing is requested."""
        return self._task is None

    async def get(self, key: Key) -> Value | None:
        """Return the key's value as of after this call; None where the statement returns none."""
        value = self._waiting.get(key)
        if value is None:
            value = self._waiting[key] = asyncio.get_running_loop().create_future()
        if self._task is None:
            self._task = asyncio.create_task(self._query_all())
        found = await asyncio.shield(value)
        await self._turns.take()
        return found

    async def _query_all(self) -> None:
        try:
            while self._waiting:
                keys = list(self._waiting)[: self._most]
                await self._query_batch({key: self._waiting.pop(key) for key in keys})
        finally:
            self._task = None

    async def _query_batch(self, batch: Mapping[Key, "asyncio.Future[Value | None]"]) -> None:
        try:
            found = await self._query(list(batch))
        except BaseException as error:
            for value in batch.values():
                if isinstance(error, Exception):
                    value.set_exception(error)
                    value.exception()  # retrieved here, since the caller may have been cancelled
                else:
                    value.cancel()
            if not isinstance(error, Exception):
                raise
        else:
            for key, value in batch.items():
                value.set_result(found.get(key))


class TtlCache(Generic[Key, Value]):
    """At most `max_entries` values; the ones stored first are dropped for new ones."""

    def __init__(self, clock: Clock, seconds: float, *, max_entries: int) -> None:
        """`seconds` of 0 stores nothing."""
        self._clock: Final = clock
        self._seconds: Final = seconds
        self._max_entries: Final = max_entries
        self._entries: Final[OrderedDict[Key, tuple[float, Value]]] = OrderedDict()
        self._clear_count = 0

    async def fetch(self, key: Key, fetch: Callable[[], Awaitable[Value]]) -> Value:
        """Return the stored value, else what `fetch` returns; its age counts from before the call.

        What was fetched while the cache was cleared is returned and not stored: it may be the old value.
        """
        entry = self._valid_entry(key)
        if entry is not None:
            return entry[1]
        asked_at, clear_count = self._clock.monotonic(), self._clear_count
        value = await fetch()
        if clear_count == self._clear_count:
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
        self._clear_count += 1
        self._entries.clear()

    def _valid_entry(self, key: Key) -> tuple[float, Value] | None:
        entry = self._entries.get(key)
        if entry is None or self._clock.monotonic() - entry[0] < self._seconds:
            return entry
        del self._entries[key]
        return None
