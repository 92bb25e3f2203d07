"""The network of httpcore: resolves a host, checks its addresses, connects, and reads a limited answer."""

import asyncio
from collections.abc import Iterable
from ssl import SSLContext
from typing import Any, Final

import httpcore

from notifier_worker.http.errors import BadAnswer, NoConnection, TimedOut
from notifier_worker.http.network_stream import TransportStream
from shared.network.dns import Lookup
from shared.network.hosts import Address
from shared.network.targets import AddressPolicy, literal

#: Addresses of one host that are tried: a name may have hundreds.
MAX_ADDRESSES_TRIED: Final = 4
#: Bytes that one answer may have, headers and interim answers (1xx) included.
MAX_ANSWER_BYTES: Final = 64 * 1024
#: Small enough that one receiver's flood does not keep the event loop from the others.
_READ_BYTES: Final = 8 * 1024


class Resolver:
    """The resolver of a connection's host; it caches nothing, so that a change of address is noticed."""

    def __init__(self, lookup: Lookup, policy: AddressPolicy, timeout_seconds: float) -> None:
        self._lookup: Final = lookup
        self._policy: Final = policy
        self._timeout_seconds: Final = timeout_seconds

    async def resolve(self, host: str, port: int) -> tuple[Address, ...]:
        """Return the host's addresses in the resolver's order, all of them checked for this port.

        Raises TargetRefused (one address that is not allowed is enough), NoConnection (name_unresolved),
        TimedOut (name_timeout).
        """
        address = literal(host)
        addresses = await self._query(host) if address is None else (address,)
        if not addresses:
            raise NoConnection("name_unresolved", "The host's name has no address.")
        for found in addresses:
            self._policy.check_address(found, host, port)
        return addresses

    async def _query(self, host: str) -> tuple[Address, ...]:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return tuple(await self._lookup(host))
        except TimeoutError as error:
            raise TimedOut("name_timeout", "The look-up of the host's name took too long.") from error
        except (OSError, UnicodeError) as error:
            raise NoConnection("name_unresolved", "The host's name cannot be looked up.") from error


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """A network that connects to the very addresses that it has just checked."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver: Final = resolver

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first of the host's addresses that answers; each gets an equal part of the time.

        Raises TargetRefused, NoConnection, TimedOut.
        """
        assert local_address is None, "the client sets none"
        assert socket_options is None, "the client sets none"
        assert timeout is not None, "without a time-out a connection would hold its slot for ever"
        addresses = await self._resolver.resolve(host, port)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        tried = addresses[:MAX_ADDRESSES_TRIED]
        in_time = False
        for number, address in enumerate(tried):
            part = max(0.0, deadline - loop.time()) / (len(tried) - number)
            try:
                stream = await TransportStream.connect(str(address), port, part)
            except httpcore.ConnectTimeout:
                continue
            except httpcore.ConnectError:
                in_time = True
                continue
            return LimitedStream(stream)
        if in_time:
            raise NoConnection("connection_failed", "No address of the host takes a connection at this port.")
        raise TimedOut("connect_timeout", "No address of the host took the connection in time.")


class LimitedStream(httpcore.AsyncNetworkStream):
    """A stream that reads at most 64 KiB after the last write, headers and interim answers included."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream: Final = stream
        self._bytes_left = MAX_ANSWER_BYTES

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return the next bytes; raise BadAnswer (answer_too_large)."""
        if self._bytes_left <= 0:
            raise BadAnswer("answer_too_large", f"The answer is longer than {MAX_ANSWER_BYTES} bytes.")
        read = await self._stream.read(min(max_bytes, _READ_BYTES, self._bytes_left), timeout)
        self._bytes_left -= len(read)
        return read

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._bytes_left = MAX_ANSWER_BYTES
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> "LimitedStream":
        try:
            return LimitedStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))
        except BaseException:
            # httpcore closes after errors only; after a time-out of the caller's the socket would stay open.
            await self._stream.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
