"""From a target's host to checked addresses: one look-up a connection, and every address of it is judged."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from notifier_worker.failures import NoConnection, TimedOut
from shared.addresses import Address, addresses_found
from shared.targets import AddressPolicy, literal

#: Returns a host's addresses; none where it has none. Raises OSError where the look-up fails.
LookUp = Callable[[str], Awaitable[Sequence[Address]]]


#: Look-ups at the same time of hosts whose last one took too long.
SLOW_LOOK_UPS: Final = 4
SLOW_HOSTS_AT_MOST: Final = 10_000


class SystemLookUp:
    """Asks the system's resolver, on threads of its own.

    The event loop's threads are few and look the database's name up too: names whose servers never answer
    must not occupy them. Unusual spellings of an address (`0x7f000001`, `127.1`) come back as that address.
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


class Resolver:
    """Resolves hosts. Posts that want the same host at the same moment share one look-up."""

    def __init__(self, look_up: LookUp, policy: AddressPolicy, timeout_seconds: float) -> None:
        self._look_up: Final = look_up
        self._policy: Final = policy
        self._timeout_seconds: Final = timeout_seconds
        # A name whose servers never answer holds one thread, however many posts give up waiting for it.
        self._running: Final[dict[str, asyncio.Task[Sequence[Address]]]] = {}
        # Those that did so the last time wait for each other, and for nobody else.
        self._slow_hosts: Final[dict[str, None]] = {}
        self._slow_places: Final = asyncio.Semaphore(SLOW_LOOK_UPS)

    async def resolve(self, host: str) -> tuple[Address, ...]:
        """Return the host's addresses in the resolver's order, all of them checked.

        Raises TargetRefused (one address that is not allowed is enough), NoConnection (name_unresolved),
        TimedOut (name_timeout).
        """
        address = literal(host)
        addresses = tuple(await self._looked_up(host)) if address is None else (address,)
        if not addresses:
            raise NoConnection("name_unresolved", "The host's name has no address.")
        for found in addresses:
            self._policy.check_address(found)
        return addresses

    async def _looked_up(self, host: str) -> Sequence[Address]:
        running = self._running.get(host)
        if running is None:
            running = self._running[host] = asyncio.ensure_future(self._ask(host))
            running.add_done_callback(lambda ended: self._ended(host, ended))
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await asyncio.shield(running)
        except TimeoutError as error:
            self._note_slow(host)
            raise TimedOut("name_timeout", "The look-up of the host's name took too long.") from error
        except (OSError, UnicodeError) as error:
            raise NoConnection("name_unresolved", "The host's name cannot be looked up.") from error

    async def _ask(self, host: str) -> Sequence[Address]:
        if host not in self._slow_hosts:
            return await self._look_up(host)
        async with self._slow_places:
            found = await self._look_up(host)
        self._slow_hosts.pop(host, None)
        return found

    def _note_slow(self, host: str) -> None:
        self._slow_hosts[host] = None
        if len(self._slow_hosts) > SLOW_HOSTS_AT_MOST:
            self._slow_hosts.pop(next(iter(self._slow_hosts)))

    def _ended(self, host: str, ended: "asyncio.Task[Sequence[Address]]") -> None:
        del self._running[host]
        if not ended.cancelled():
            ended.exception()  # whoever gave up waiting does not ask for it


def _ask_system(host: str) -> list[tuple[object, ...]]:
    return list(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
