"""The stream of httpcore over a transport of the event loop.

httpcore's own one goes through anyio, whose scopes, locks and task groups cost more than the exchange itself.
"""

import asyncio
import select
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

import httpcore

#: Received bytes that nobody has read yet, past which the receiver is made to wait.
_UNREAD_BYTES: Final = 64 * 1024


class _Received(asyncio.Protocol):
    """The bytes that a receiver has sent, and a signal that it takes more."""

    def __init__(self) -> None:
        self.unread = bytearray()
        self.is_ended = False
        self.error: Exception | None = None
        self.is_writable = True
        self._is_paused = False
        self._transport: asyncio.Transport
        #: Done at the next change.
        self._change: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is none of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.unread += data
        if len(self.unread) > _UNREAD_BYTES and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()
        self._changed()

    def eof_received(self) -> bool:
        self.is_ended = True
        self._changed()
        # The answer to half a connection is still awaited; TLS knows no halves.
        return self._transport.get_extra_info("ssl_object") is None

    def connection_lost(self, error: Exception | None) -> None:
        self.is_ended, self.error = True, error
        self._changed()

    def pause_writing(self) -> None:
        self.is_writable = False

    def resume_writing(self) -> None:
        self.is_writable = True
        self._changed()

    async def until_writable(self) -> None:
        """Wait until more may be sent, or nothing more can be: then there may be an answer to read."""
        while not (self.is_writable or self.is_ended):
            await self.changed()

    def take(self, most: int) -> bytes:
        """Return the first bytes that nobody has read."""
        taken = bytes(self.unread[:most])
        del self.unread[:most]
        if self._is_paused and len(self.unread) <= _UNREAD_BYTES:
            self._is_paused = False
            self._transport.resume_reading()
        return taken

    async def changed(self) -> None:
        """Wait for a change."""
        self._change = asyncio.get_running_loop().create_future()
        try:
            await self._change
        finally:
            self._change = None

    def _changed(self) -> None:
        if self._change is not None and not self._change.done():
            self._change.set_result(None)


class TransportStream(httpcore.AsyncNetworkStream):
    """A connection; one task at a time uses it."""

    def __init__(self, transport: asyncio.Transport, received: _Received) -> None:
        self._transport: Final = transport
        self._received: Final = received

    @classmethod
    async def connect(cls, address: str, port: int, timeout_seconds: float) -> "TransportStream":
        """Connect to a literal address. Raises httpcore's ConnectTimeout and ConnectError."""
        loop = asyncio.get_running_loop()
        with _errors_as(httpcore.ConnectTimeout, httpcore.ConnectError):
            async with asyncio.timeout(timeout_seconds):
                transport, received = await loop.create_connection(_Received, address, port)
        return cls(transport, received)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return the next bytes, none at the end. Raises httpcore's ReadTimeout and ReadError."""
        received = self._received
        with _errors_as(httpcore.ReadTimeout, httpcore.ReadError):
            async with asyncio.timeout(timeout):
                while not received.unread and not received.is_ended:
                    await received.changed()
            if not received.unread and received.error is not None:
                raise received.error
            return received.take(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send the bytes. Raises httpcore's WriteTimeout and WriteError."""
        received = self._received
        with _errors_as(httpcore.WriteTimeout, httpcore.WriteError):
            if self._transport.is_closing():
                raise received.error or ConnectionResetError("The connection is closed.")
            self._transport.write(buffer)
            if not received.is_writable:
                async with asyncio.timeout(timeout):
                    await received.until_writable()

    async def aclose(self) -> None:
        # What the receiver has not taken is of no use to it any more.
        self._transport.abort()
        # The event loop closes it in its next turn.
        await asyncio.sleep(0)

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> "TransportStream":
        """Return the stream within TLS. Raises httpcore's ConnectTimeout and ConnectError."""
        loop, received = asyncio.get_running_loop(), _Received()
        with _errors_as(httpcore.ConnectTimeout, httpcore.ConnectError):
            if self._received.is_ended:
                raise self._received.error or ConnectionResetError("The connection was closed.")
            async with asyncio.timeout(timeout):
                transport = await loop.start_tls(
                    self._transport, received, ssl_context, server_hostname=server_hostname
                )
            if transport is None:
                raise ConnectionResetError("The connection was closed.")
        received.connection_made(transport)
        return TransportStream(transport, received)

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            # An idle connection of which this is true was closed, or says what nobody asked for.
            return bool(self._received.unread) or self._received.is_ended or self._has_more()
        return self._transport.get_extra_info(info)

    def _has_more(self) -> bool:
        """Return True where the kernel has something that the event loop has not read yet."""
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket"), select.POLLIN)
        return bool(poll.poll(0))


@contextmanager
def _errors_as(timed_out: type[Exception], failed: type[Exception]) -> Iterator[None]:
    """Turn the event loop's errors into httpcore's."""
    try:
        yield
    except TimeoutError as error:
        raise timed_out(str(error)) from error
    except OSError as error:
        raise failed(str(error)) from error
