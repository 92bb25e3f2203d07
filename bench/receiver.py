"""A receiver of webhooks on many addresses that answers at once, or never, on one."""

import asyncio
import re
import time
from dataclasses import dataclass, field
from typing import Final, cast

_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_LENGTH: Final = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_WRITTEN_AT: Final = re.compile(rb'"written_at_ms":(\d+)')


@dataclass
class Receiver:
    """The counts of received webhooks, by address."""

    hosts: list[str]
    port: int = 0
    #: The address that accepts connections and requests, and never answers.
    hangs: str | None = None
    counts: dict[str, int] = field(default_factory=dict)
    #: Milliseconds from the transaction to the arrival, for the addresses that answer.
    latencies_ms: list[float] = field(default_factory=list)
    _servers: list[asyncio.Server] = field(default_factory=list)

    async def listen(self) -> None:
        """Listen on one free port of every address."""
        loop = asyncio.get_running_loop()
        for host in self.hosts:
            server = await loop.create_server(lambda host=host: _Connection(self, host), host, self.port)  # type: ignore[misc]
            self.port = server.sockets[0].getsockname()[1]
            self._servers.append(server)

    def close(self) -> None:
        for server in self._servers:
            server.close()

    def begin_anew(self, hangs: str | None) -> None:
        self.hangs, self.counts, self.latencies_ms = hangs, dict.fromkeys(self.hosts, 0), []

    def answered(self, *, without: str | None = None) -> int:
        """Return the number of webhooks at all addresses but `without`."""
        return sum(count for host, count in self.counts.items() if host != without)


class _Connection(asyncio.Protocol):
    def __init__(self, receiver: Receiver, host: str) -> None:
        self._receiver = receiver
        self._host = host
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not instances of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(self._buffer, 0, end)
            whole = end + 4 + (int(found[1]) if found else 0)
            if len(self._buffer) < whole:
                return
            self._came(bytes(self._buffer[end + 4 : whole]))
            del self._buffer[:whole]

    def _came(self, body: bytes) -> None:
        receiver = self._receiver
        receiver.counts[self._host] += 1
        if receiver.hangs == self._host:
            return
        written = _WRITTEN_AT.search(body)
        if written:
            receiver.latencies_ms.append(time.time() * 1000 - int(written[1]))
        self._transport.write(_ANSWER)
