"""A bare TCP client for virtual terminals: bytes out, bytes in."""

import asyncio
from types import TracebackType

from sandbox.terminal.server.server import VirtualTerminal
from shared.concert.decode import Decoder, Frame


class RawClient:
    """One connection to a terminal."""

    def __init__(self, terminal: VirtualTerminal) -> None:
        self._terminal = terminal
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> "RawClient":
        self._reader, self._writer = await asyncio.open_connection(self._terminal.host, self._terminal.port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.drop()

    async def send(self, data: bytes, *, piece_bytes: int | None = None) -> None:
        """Write the bytes, in pieces that the terminal reads one by one where a size is given."""
        size = piece_bytes or len(data)
        for begin in range(0, len(data), size):
            self._writer.write(data[begin : begin + size])
            await self._writer.drain()
            await asyncio.sleep(0)

    async def receive_all(self) -> bytes:
        """Return what comes until the terminal closes."""
        async with asyncio.timeout(30):
            return await self._reader.read()

    async def receive_some(self) -> bytes:
        """Return the next bytes; empty at the end."""
        async with asyncio.timeout(30):
            return await self._reader.read(65536)

    async def ask(self, data: bytes) -> Frame:
        """Send a request and return the answer, read to the terminal's close."""
        await self.send(data)
        decoder = Decoder()
        decoder.feed(await self.receive_all())
        return decoder.frame(ended=True)

    def drop(self) -> None:
        """Close at once, whatever is under way."""
        self._writer.transport.abort()


async def ask(terminal: VirtualTerminal, data: bytes) -> Frame:
    """Open a connection, send a request, return the answer."""
    async with RawClient(terminal) as client:
        return await client.ask(data)
