"""The TCP connection to a terminal: plain, by the protocol; the network protects the path."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol, SupportsIndex

from shared.settings.settings import Settings

_READ_BYTES: Final = 4096
#: Reasons of failed attempts by the kernel's number; see `shared.metrics.catalogue.terminals`.
_FAILURES: Final[dict[int | None, str]] = {
    errno.ECONNREFUSED: "refused",
    errno.ETIMEDOUT: "no_answer",
    errno.ECONNRESET: "reset",
    errno.ECONNABORTED: "reset",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EHOSTDOWN: "unreachable",
    errno.ENETDOWN: "unreachable",
}
_CLOSE_SECONDS: Final = 1.0


class ConnectFailed(Exception):
    """Raised where no connection was made, or it ended before our write: nothing was sent."""


class UnexpectedBytes(ConnectFailed):
    """Raised where the peer wrote before our request: nothing was sent."""

    def __init__(self, received: bytes) -> None:
        super().__init__(f"{len(received)} bytes came before the request")
        self.received = received


class Connection(Protocol):
    """The connection that a session needs; a simulation gives another one."""

    def peek(self) -> bytes | None:
        """Return the unread bytes without waiting and without consuming them; None: there are none, and the
        peer has closed or the connection is lost."""
        ...

    def write(self, data: bytes) -> None:
        """Hand the bytes to the network without waiting: from this call on, they may arrive."""
        ...

    async def read(self) -> bytes:
        """Return the next bytes; empty once the peer has closed or the connection is lost."""
        ...

    async def close(self) -> None:
        """End the connection; when this returns, the socket is closed."""
        ...


def write_request(connection: Connection, request: bytes) -> None:
    """Write the first bytes of a connection; check and write are one step without an await.

    Raises UnexpectedBytes where the peer has written already: such bytes are no answer to our request. Raises
    ConnectFailed where the connection has ended. In both cases nothing was written.
    """
    received = connection.peek()
    if received is None:
        raise ConnectFailed("closed before the request")
    if received:
        raise UnexpectedBytes(received)
    connection.write(request)


async def close_keeping_result(connection: Connection) -> None:
    """Close a connection whose caller is about to return a result.

    Cancelled meanwhile (a drain, the end of a lease), this returns all the same; the caller's next await is
    cancelled in its place, so that the result is not lost. Not for use inside a time limit.
    """
    try:
        await connection.close()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        assert task is not None, "awaited by a task"
        task.uncancel()
        task.cancel()


#: Opens a connection to a terminal address (`address:port`, IPv6 in brackets). Raises ConnectFailed.
Connect = Callable[[str], Awaitable[Connection]]


def split_terminal_address(terminal_address: str) -> tuple[str, int]:
    """Return the literal address and the port of a terminal address."""
    address, _, port = terminal_address.rpartition(":")
    return address.removeprefix("[").removesuffix("]"), int(port)


class _Inbox(asyncio.StreamReader):
    """A stream reader that shows its bytes before the first read."""

    def __init__(self) -> None:
        super().__init__()
        self.unreadable: bytes | None = b""
        self.has_ended = False

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        if self.unreadable is not None:
            self.unreadable = (self.unreadable + bytes(data))[:_READ_BYTES]
        super().feed_data(data)

    def feed_eof(self) -> None:
        self.has_ended = True
        super().feed_eof()

    def set_exception(self, exc: Exception) -> None:
        self.has_ended = True
        super().set_exception(exc)

    async def read(self, n: int = -1) -> bytes:
        self.unreadable = None
        return await super().read(n)


class TcpConnection:
    """A TCP connection. A loss counts as the peer's close: the bytes before it stay valid."""

    def __init__(self, inbox: _Inbox, writer: asyncio.StreamWriter) -> None:
        self._inbox = inbox
        self._writer = writer

    def peek(self) -> bytes | None:
        unreadable = self._inbox.unreadable
        assert unreadable is not None, "asked before the first read"
        if unreadable:
            return unreadable
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

    def __init__(self, settings: Settings, on_failure: Callable[[str], None] = lambda _: None) -> None:
        """`on_failure` is called with the reason of each failed attempt, one of `CONNECT_FAILURES`."""
        self._settings = settings
        self._on_failure: Final = on_failure

    async def __call__(self, terminal_address: str) -> TcpConnection:
        """Connect to the literal address, with `connect_tries` tries in all: nothing was sent yet."""
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
                        self._on_failure("no_answer")
                    except OSError as error:
                        problem = error.strerror or str(error)
                        self._on_failure(_FAILURES.get(error.errno, "other"))
                        if number < tries:
                            await asyncio.sleep(limits.connect_retry_seconds)
        raise ConnectFailed(problem)

    async def _connect_once(self, terminal_address: str) -> TcpConnection:
        address, port = split_terminal_address(terminal_address)
        async with asyncio.timeout(self._settings.connect_timeout_seconds):
            inbox, writer = await _open(address, port)
        try:
            self._prepare(writer.get_extra_info("socket"))
        except OSError:
            # The peer is gone already. Left open, the connection could occupy the terminal at the next try.
            writer.transport.abort()
            raise
        return TcpConnection(inbox, writer)

    def _prepare(self, connected: socket.socket) -> None:
        """Set the socket's options: carriers drop idle flows after 30 to 60 s, a customer may take 90 s."""
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
    """Connect as `asyncio.open_connection` does, with an `_Inbox` as reader."""
    loop = asyncio.get_running_loop()
    inbox = _Inbox()
    protocol = asyncio.StreamReaderProtocol(inbox, loop=loop)
    transport, _ = await loop.create_connection(lambda: protocol, address, port)
    return inbox, asyncio.StreamWriter(transport, protocol, inbox, loop)
