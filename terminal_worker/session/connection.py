"""The TCP connection to a terminal: plain, by the protocol; the network protects the path."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol, SupportsIndex

from shared.settings.settings import Settings

_READ_BYTES: Final = 4096
_CLOSE_SECONDS: Final = 1.0


class ConnectFailed(Exception):
    """No connection came about, or it ended before our write: nothing was sent. The message says why."""


class UnexpectedBytes(ConnectFailed):
    """The peer wrote before it was asked anything: nothing was sent."""

    def __init__(self, received: bytes) -> None:
        super().__init__(f"{len(received)} bytes came before anything was asked")
        self.received = received


class Connection(Protocol):
    """What a session needs of a connection, so that a simulation can give it another network."""

    def peek(self) -> bytes | None:
        """Return what has come so far and was not read, without waiting and without taking it; None: nothing,
        and the peer has closed or the connection is lost."""
        ...

    def write(self, data: bytes) -> None:
        """Hand the bytes to the network, at once and without waiting: from this call on, they may arrive."""
        ...

    async def read(self) -> bytes:
        """Return what came next; empty once the peer has closed or the connection is lost."""
        ...

    async def close(self) -> None:
        """End the connection; when it returns, the peer's socket is no longer ours."""
        ...


def write_request(connection: Connection, request: bytes) -> None:
    """Write the first bytes of a connection. Look and write are one step, no await lies between.

    Raises UnexpectedBytes where the peer has written before: whatever that is, it is no answer to what was
    not asked. Raises ConnectFailed where the connection has ended. Nothing was written then.
    """
    received = connection.peek()
    if received is None:
        raise ConnectFailed("closed before anything was asked")
    if received:
        raise UnexpectedBytes(received)
    connection.write(request)


async def close_keeping_result(connection: Connection) -> None:
    """Close a connection whose user is about to return what it learned.

    Cancelled meanwhile (a drain, the end of a hold), it returns all the same, and the caller's next await is
    cancelled in its place: the result must not be lost to the close. Not to be used inside of a time limit.
    """
    try:
        await connection.close()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        assert task is not None, "awaited by a task"
        task.uncancel()
        task.cancel()


#: Opens a connection to a line (`address:port`, an IPv6 address in brackets). Raises ConnectFailed.
Connect = Callable[[str], Awaitable[Connection]]


def split_line(terminal_address: str) -> tuple[str, int]:
    """Return a line's literal address and port."""
    address, _, port = terminal_address.rpartition(":")
    return address.removeprefix("[").removesuffix("]"), int(port)


class _Inbox(asyncio.StreamReader):
    """A reader that tells what it was fed before anything was read."""

    def __init__(self) -> None:
        super().__init__()
        self.unread: bytes | None = b""
        self.has_ended = False

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        if self.unread is not None:
            self.unread = (self.unread + bytes(data))[:_READ_BYTES]
        super().feed_data(data)

    def feed_eof(self) -> None:
        self.has_ended = True
        super().feed_eof()

    def set_exception(self, exc: Exception) -> None:
        self.has_ended = True
        super().set_exception(exc)

    async def read(self, n: int = -1) -> bytes:
        self.unread = None
        return await super().read(n)


class TcpConnection:
    """One connection. A loss is an end like the peer's close: what came before it counts all the same."""

    def __init__(self, inbox: _Inbox, writer: asyncio.StreamWriter) -> None:
        self._inbox = inbox
        self._writer = writer

    def peek(self) -> bytes | None:
        unread = self._inbox.unread
        assert unread is not None, "asked before the first read"
        if unread:
            return unread
        has_ended = self._inbox.has_ended or self._writer.transport.is_closing()
        return None if has_ended else self._peek_in_kernel()

    def _peek_in_kernel(self) -> bytes | None:
        """Return the bytes that the event loop has not fetched yet."""
        try:
            known = self._writer.get_extra_info("socket")
            with socket.fromfd(known.fileno(), known.family, known.type) as connected:
                return connected.recv(_READ_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT) or None
        except BlockingIOError:
            return b""
        except OSError:
            return None

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def read(self) -> bytes:
        try:
            return await self._inbox.read(_READ_BYTES)
        except OSError:
            return b""

    async def close(self) -> None:
        self._writer.close()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._writer.wait_closed()
        except TimeoutError:
            self._writer.transport.abort()
        except OSError:
            pass  # the peer was faster


class TcpConnector:
    """Opens connections with the limits of the settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def __call__(self, terminal_address: str) -> TcpConnection:
        """Connect to the literal address, a few times within a limit: nothing was sent yet."""
        limits = self._settings
        tries: Final = limits.connect_tries
        problem = "no answer"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limits.connect_total_seconds):
                for number in range(1, tries + 1):
                    try:
                        return await self._connect_once(terminal_address)
                    except TimeoutError:
                        problem = "no answer"
                    except OSError as error:
                        problem = error.strerror or str(error)
                        if number < tries:
                            await asyncio.sleep(limits.connect_retry_seconds)
        raise ConnectFailed(problem)

    async def _connect_once(self, terminal_address: str) -> TcpConnection:
        address, port = split_line(terminal_address)
        async with asyncio.timeout(self._settings.connect_timeout_seconds):
            inbox, writer = await _open(address, port)
        try:
            self._prepare(writer.get_extra_info("socket"))
        except OSError:
            # The peer is gone already. Left open, it could take the place of the next try.
            writer.transport.abort()
            raise
        return TcpConnection(inbox, writer)

    def _prepare(self, connected: socket.socket) -> None:
        """Carrier networks drop idle flows after 30 to 60 s, and a customer takes 90: keep the flow alive."""
        limits = self._settings
        for level, option, value in (
            (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
            (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, limits.tcp_keepalive_idle_seconds),
            (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, limits.tcp_keepalive_interval_seconds),
            (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, limits.tcp_keepalive_count),
            (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(limits.tcp_user_timeout_seconds * 1000)),
        ):
            connected.setsockopt(level, option, value)


async def _open(address: str, port: int) -> tuple[_Inbox, asyncio.StreamWriter]:
    """Connect as `asyncio.open_connection` does, with a reader of ours."""
    loop = asyncio.get_running_loop()
    inbox = _Inbox()
    protocol = asyncio.StreamReaderProtocol(inbox, loop=loop)
    transport, _ = await loop.create_connection(lambda: protocol, address, port)
    return inbox, asyncio.StreamWriter(transport, protocol, inbox, loop)
