"""DNS look-ups of host names that clients send: on threads of their own, with a limit for each requester."""

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from weakref import WeakValueDictionary

from shared.network.hosts import Address, addresses_found
from shared.runtime.clock import Clock
from shared.runtime.shared_reads import TtlCache

#: Returns a host's addresses; none where it has none. Raises OSError or UnicodeError where it fails.
Lookup = Callable[[str], Awaitable[Sequence[Address]]]

#: A look-up that took longer counts as slow.
SLOW_SECONDS: Final = 2.0
#: Concurrent look-ups of one requester for hosts whose last look-up was slow.
SLOW_LOOKUPS: Final = 4
_MAX_SLOW_HOSTS: Final = 10_000
_MAX_CACHED_HOSTS: Final = 10_000


class SystemResolver:
    """The system's resolver, on threads of its own.

    The event loop's own threads are few and also resolve the names of database and broker: names whose
    servers never answer must not occupy them. Unusual spellings of an address (`0x7f000001`, `127.1`) come
    back as that address.
    """

    def __init__(self, thread_count: int = 64) -> None:
        self._threads: Final = ThreadPoolExecutor(thread_count, thread_name_prefix="names")

    async def __call__(self, host: str) -> Sequence[Address]:
        loop = asyncio.get_running_loop()
        return addresses_found(await loop.run_in_executor(self._threads, _getaddrinfo, host))

    def close(self) -> None:
        """Start no more look-ups; those that run end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Slots:
    """The concurrent look-ups that one requester may have; a slot is free once the look-up really ended."""

    def __init__(self, limit: int) -> None:
        self.all: Final = asyncio.Semaphore(limit)
        self.slow: Final = asyncio.Semaphore(min(limit, SLOW_LOOKUPS))


class CachingResolver:
    """Look-ups shared by all requesters: one at a time for each host, its result kept for a few seconds.

    A caller that gives up frees no slot: the system's look-up goes on. So names whose servers never answer
    use up the slots of the requester that sent them, and nobody else's.
    """

    def __init__(self, lookup: Lookup, clock: Clock, *, limit_each: int, cache_seconds: float = 0) -> None:
        """`limit_each`: concurrent look-ups of one requester. `cache_seconds`: short, because the system does
        not say how long an answer is valid; 0 caches nothing."""
        self._lookup: Final = lookup
        self._clock: Final = clock
        self._limit_each: Final = limit_each
        self._cache: Final = TtlCache[str, Sequence[Address]](
            clock, cache_seconds, max_entries=_MAX_CACHED_HOSTS
        )
        self._running: Final[dict[str, asyncio.Task[Sequence[Address]]]] = {}
        self._slow_hosts: Final[OrderedDict[str, None]] = OrderedDict()
        # The slots of a requester without look-ups are dropped.
        self._slots: Final[WeakValueDictionary[str, _Slots]] = WeakValueDictionary()

    def lookup_for(self, requester: str) -> Lookup:
        """Return the look-up function of one requester."""

        async def lookup(host: str) -> Sequence[Address]:
            return await self.find(host, requester)

        return lookup

    async def find(self, host: str, requester: str) -> Sequence[Address]:
        """Return the host's addresses in the resolver's order. Raises OSError, UnicodeError."""
        cached = self._cache.get(host)
        if cached is not None:
            return cached
        running = self._running.get(host) or await self._start(host, self._slots_of(requester))
        return await asyncio.shield(running)

    async def _start(self, host: str, slots: _Slots) -> "asyncio.Task[Sequence[Address]]":
        """Wait for a slot, then start the look-up, or join one that started meanwhile."""
        await slots.all.acquire()
        running = self._running.get(host)
        if running is not None:
            slots.all.release()
            return running
        running = self._running[host] = asyncio.ensure_future(self._resolve(host, slots))
        running.add_done_callback(lambda ended: self._ended(host, slots, ended))
        return running

    async def _resolve(self, host: str, slots: _Slots) -> Sequence[Address]:
        if host not in self._slow_hosts:
            return await self._resolve_timed(host)
        async with slots.slow:
            return await self._resolve_timed(host)

    async def _resolve_timed(self, host: str) -> Sequence[Address]:
        began = self._clock.monotonic()
        try:
            found = await self._lookup(host)
        finally:
            now = self._clock.monotonic()
            self._slow_hosts.pop(host, None)
            if now - began > SLOW_SECONDS:
                self._slow_hosts[host] = None
                if len(self._slow_hosts) > _MAX_SLOW_HOSTS:
                    self._slow_hosts.popitem(last=False)
        self._cache.put(host, found, since=now)
        return found

    def _slots_of(self, requester: str) -> _Slots:
        slots = self._slots.get(requester)
        if slots is None:
            slots = self._slots[requester] = _Slots(self._limit_each)
        return slots

    def _ended(self, host: str, slots: _Slots, ended: "asyncio.Task[Sequence[Address]]") -> None:
        del self._running[host]
        slots.all.release()
        if not ended.cancelled():
            ended.exception()  # retrieved here, since every caller may have given up


def _getaddrinfo(host: str) -> list[tuple[object, ...]]:
    return list(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
