"""Look-ups of host names that others gave us: on threads of their own, with a limit for each who asks."""

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from weakref import WeakValueDictionary

from shared.network.public_addresses import Address, addresses_found
from shared.runtime.clock import Clock

#: Returns a host's addresses; none where it has none. Raises OSError or UnicodeError where it fails.
Lookup = Callable[[str], Awaitable[Sequence[Address]]]

#: A look-up that took longer counts as slow.
SLOW_SECONDS: Final = 2.0
#: Look-ups at the same time, for one who asks, of hosts whose last one was slow.
SLOW_LOOKUPS: Final = 4
SLOW_HOSTS_AT_MOST: Final = 10_000
CACHED_HOSTS_AT_MOST: Final = 10_000


class SystemResolver:
    """The system's resolver, on threads of its own.

    The event loop's threads are few and look up the names of database and broker, too: names whose servers
    never answer must not occupy them. Unusual spellings of an address (`0x7f000001`, `127.1`) come back as
    that address.
    """

    def __init__(self, thread_count: int = 64) -> None:
        self._threads: Final = ThreadPoolExecutor(thread_count, thread_name_prefix="names")

    async def __call__(self, host: str) -> Sequence[Address]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _ask_system, host)
        return addresses_found(found)

    def close(self) -> None:
        """Take no more names; look-ups that run are left to end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class Share:
    """The look-ups that one who asks may have under way; it is theirs until the look-up really ended."""

    def __init__(self, limit: int) -> None:
        self.places: Final = asyncio.Semaphore(limit)
        self.slow_places: Final = asyncio.Semaphore(min(limit, SLOW_LOOKUPS))


class Names:
    """Looks hosts up, each once at a time however many wait for it, and remembers what was found for a while.

    A caller that gives up frees nothing: the system's look-up goes on and keeps its place. So names whose
    servers never answer hold the places of the one who asked, and nobody else's.
    """

    def __init__(self, lookup: Lookup, clock: Clock, *, limit_each: int, cache_seconds: float = 0) -> None:
        """`limit_each`: look-ups under way for one who asks. `cache_seconds`: short, because the system
        does not say how long an answer lives; 0 remembers nothing."""
        self._lookup: Final = lookup
        self._clock: Final = clock
        self._limit_each: Final = limit_each
        self._cache_seconds: Final = cache_seconds
        self._found: Final[OrderedDict[str, tuple[float, Sequence[Address]]]] = OrderedDict()
        self._running: Final[dict[str, asyncio.Task[Sequence[Address]]]] = {}
        self._slow_hosts: Final[OrderedDict[str, None]] = OrderedDict()
        # A share that nobody uses any more is forgotten.
        self._shares: Final[WeakValueDictionary[str, Share]] = WeakValueDictionary()

    def asked_by(self, who: str) -> Lookup:
        """Return the look-up of one who asks."""

        async def lookup(host: str) -> Sequence[Address]:
            return await self.find(host, who)

        return lookup

    async def find(self, host: str, who: str) -> Sequence[Address]:
        """Return the host's addresses in the resolver's order. Raises OSError, UnicodeError."""
        known = self._known(host)
        if known is not None:
            return known
        running = self._running.get(host) or await self._begun(host, self._share(who))
        return await asyncio.shield(running)

    async def _begun(self, host: str, share: Share) -> "asyncio.Task[Sequence[Address]]":
        """Wait for a place, then begin the look-up, or join the one that began meanwhile."""
        await share.places.acquire()
        running = self._running.get(host)
        if running is not None:
            share.places.release()
            return running
        running = self._running[host] = asyncio.ensure_future(self._ask(host, share))
        running.add_done_callback(lambda ended: self._ended(host, share, ended))
        return running

    async def _ask(self, host: str, share: Share) -> Sequence[Address]:
        if host not in self._slow_hosts:
            return await self._timed(host)
        async with share.slow_places:
            return await self._timed(host)

    async def _timed(self, host: str) -> Sequence[Address]:
        began = self._clock.monotonic()
        try:
            found = await self._lookup(host)
        finally:
            now = self._clock.monotonic()
            self._slow_hosts.pop(host, None)
            if now - began > SLOW_SECONDS:
                self._slow_hosts[host] = None
                _drop_oldest(self._slow_hosts, SLOW_HOSTS_AT_MOST)
        if self._cache_seconds > 0:
            self._found[host] = (now, found)
            _drop_oldest(self._found, CACHED_HOSTS_AT_MOST)
        return found

    def _known(self, host: str) -> Sequence[Address] | None:
        at, addresses = self._found.get(host, (0.0, None))
        if addresses is not None and self._clock.monotonic() - at >= self._cache_seconds:
            del self._found[host]
            return None
        return addresses

    def _share(self, who: str) -> Share:
        share = self._shares.get(who)
        if share is None:
            share = self._shares[who] = Share(self._limit_each)
        return share

    def _ended(self, host: str, share: Share, ended: "asyncio.Task[Sequence[Address]]") -> None:
        del self._running[host]
        share.places.release()
        if not ended.cancelled():
            ended.exception()  # whoever gave up waiting does not ask for it


def _drop_oldest(known: OrderedDict[str, Any], most: int) -> None:
    if len(known) > most:
        known.popitem(last=False)


def _ask_system(host: str) -> list[tuple[object, ...]]:
    return list(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
