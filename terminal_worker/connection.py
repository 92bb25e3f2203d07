"""The TCP connection to a terminal: plain, by the protocol; the network protects the path."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from shared.settings.settings import Settings

_READ_BYTES: Final = 4096
_CLOSE_SECONDS: Final = 1.0


class ConnectFailed(Exception):
    """No connection came about: nothing was sent. The message is the operating system's word for it."""


class Connection(Protocol):
    """What a session needs of a connection, so that a simulation can give it another network."""

    def write(self, data: bytes) -> None:
        """Hand the bytes to the network, at once and without waiting: from this call on, they may arrive."""
        ...

    async def read(self) -> bytes:
        """Return what came next; empty once the peer has closed or the connection is lost."""
        ...

    async def close(self) -> None:
        """End the connection; when it returns, the peer's socket is no longer ours."""
        ...


#: Opens a connection to a line (`address:port`, an IPv6 address in brackets). Raises ConnectFailed.
Connect = Callable[[str], Awaitable[Connection]]


def split_line(line: str) -> tuple[str, int]:
    """Return a line's literal address and port."""
    address, _, port = line.rpartition(":")
    return address.removeprefix("[").removesuffix("]"), int(port)


class TcpConnection:
    """One connection. A loss is an end like the peer's close: what came before it counts all the same."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def read(self) -> bytes:
        try:
            return await self._reader.read(_READ_BYTES)
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

    async def __call__(self, line: str) -> TcpConnection:
        """Connect to the literal address, a few times within a limit: nothing was sent yet."""
        limits = self._settings
        tries: Final = limits.connect_tries
        problem = "no answer"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limits.connect_total_seconds):
                for number in range(1, tries + 1):
                    try:
                        return await self._connect_once(line)
                    except TimeoutError:
                        problem = "no answer"
                    except OSError as error:
                        problem = error.strerror or str(error)
                        if number < tries:
                            await asyncio.sleep(limits.connect_retry_seconds)
        raise ConnectFailed(problem)

    async def _connect_once(self, line: str) -> TcpConnection:
        address, port = split_line(line)
        async with asyncio.timeout(self._settings.connect_timeout_seconds):
            reader, writer = await asyncio.open_connection(address, port)
        try:
            self._prepare(writer.get_extra_info("socket"))
        except OSError:
            # The peer is gone already. Left open, it could take the place of the next try.
            writer.transport.abort()
            raise
        return TcpConnection(reader, writer)

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
