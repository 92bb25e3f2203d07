"""HTTP receivers on loopback whose answers a test sets, byte for byte."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

#: Answers one request; the connection is closed after it unless `Receiver.keeps_connections`.
Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Receiver:
    """Receiver that counts connections and keeps requests."""

    behaviour: Behaviour
    keeps_connections: bool = False
    port: int = 0
    connections: int = 0
    closed_connections: int = 0
    #: Each request's head and body, as they came.
    requests: list[tuple[bytes, bytes]] = field(default_factory=list)
    #: Server names that TLS clients asked for.
    server_names: list[str | None] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._answer_requests(reader, writer)
        finally:
            self.closed_connections += 1
            writer.close()

    async def _answer_requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            self.requests.append((head, await reader.readexactly(length)))
            await self.behaviour(reader, writer)
            await writer.drain()
            if not self.keeps_connections:
                return


def says(answer: bytes) -> Behaviour:
    """Answer every request with these bytes."""

    async def answer_with_them(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    return answer_with_them


async def silence(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Say nothing until the other end closes the connection."""
    await reader.read()


def status(number: int, *headers: str, body: bytes = b"") -> Behaviour:
    """Answer every request with this status, these header lines and this body."""
    lines = [f"HTTP/1.1 {number} Text", f"Content-Length: {len(body)}", *headers, "", ""]
    return says("\r\n".join(lines).encode() + body)


@asynccontextmanager
async def receiver(
    behaviour: Behaviour,
    *,
    host: str = "127.0.0.1",
    keeps_connections: bool = False,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Receiver]:
    """Run a receiver on a free port; unfinished answers are cut off at the end."""
    running = Receiver(behaviour, keeps_connections)
    tasks: set[asyncio.Task[None]] = set()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(running.serve(reader, writer)))

    if tls is not None:
        tls.sni_callback = lambda _, name, __: running.server_names.append(name)
    server = await asyncio.start_server(serve, host, 0, ssl=tls)
    running.port = server.sockets[0].getsockname()[1]
    try:
        yield running
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
