"""httpcore's way to the network: it connects to checked literal addresses, and reads a limited answer."""

import asyncio
from collections.abc import Iterable
from ssl import SSLContext
from typing import Any, Final

import httpcore

from notifier_worker.http.dns import Resolver
from notifier_worker.http.errors import BadAnswer, NoConnection, TimedOut

#: Addresses of one name that are tried: a name with hundreds must not make us knock at hundreds of doors.
MAX_ADDRESSES_TRIED: Final = 4
#: Bytes that one answer may have, headers and interim answers (1xx) included.
MAX_ANSWER_BYTES: Final = 64 * 1024
#: Small enough that reading what one receiver floods us with does not keep the event loop from the others.
_READ_BYTES: Final = 8 * 1024


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Resolves, checks and connects in one step, so that what was checked is what is connected to."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver: Final = resolver
        self._network: Final = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first of the host's addresses that answers; each gets a fair part of the time left.

        Raises TargetRefused, NoConnection, TimedOut.
        """
        assert timeout is not None, "a connection that is never given up holds a worker's place for ever"
        addresses = await self._resolver.resolve(host, port)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        tried = addresses[:MAX_ADDRESSES_TRIED]
        in_time = False
        for number, address in enumerate(tried):
            part = max(0.0, deadline - loop.time()) / (len(tried) - number)
            try:
                stream = await self._network.connect_tcp(
                    str(address), port, part, local_address, socket_options
                )
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
    """Reads at most 64 KiB after the last write: nobody feeds us headers and interim answers for ever."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream: Final = stream
        self._bytes_left = MAX_ANSWER_BYTES

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Raises BadAnswer (answer_too_large)."""
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
            # httpcore closes after errors only; after a time-out from outside the socket would stay open.
            await self._stream.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
