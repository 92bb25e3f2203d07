"""A TCP proxy that passes a client's COMMIT on and cuts the connection before the answer comes back.

The same for a statement that commits with its answer.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class CutProxy:
    """A proxy that counts its cuts; armed by `cut_next_commit`, it forwards everything before and after."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._marker: bytes | None = None
        self.port = 0
        self.cut = asyncio.Event()

    def cut_next_commit(self) -> None:
        """Cut the connection after the next COMMIT was forwarded, before its answer."""
        self.cut_next(b"COMMIT;")

    def cut_next(self, marker: bytes) -> None:
        """Do the same after the next piece with these bytes, as a parameter of a prepared statement."""
        self._marker = marker

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(*self._target)
        cutting = asyncio.Event()
        answers = asyncio.create_task(self._answer(server_reader, writer, cutting))
        with suppress(ConnectionError):
            while chunk := await reader.read(65536):
                if self._marker is not None and self._marker in chunk:
                    self._marker = None
                    cutting.set()
                server_writer.write(chunk)
        server_writer.close()
        await answers

    async def _answer(
        self, server_reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cutting: asyncio.Event
    ) -> None:
        with suppress(ConnectionError):
            while chunk := await server_reader.read(65536):
                if cutting.is_set():
                    # The server answers, so it has carried the COMMIT out.
                    self.cut.set()
                    break
                writer.write(chunk)
        writer.transport.abort()


@asynccontextmanager
async def cut_proxy(host: str, port: int) -> AsyncIterator[CutProxy]:
    proxy = CutProxy(host, port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
