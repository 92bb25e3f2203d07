"""TCP proxy to the broker that a test can cut, freeze and reopen, while the real broker stays as it is."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit


class AmqpProxy:
    """Proxy between clients and the broker; `url` is the broker's by way of it."""

    def __init__(self, amqp_url: str) -> None:
        parts = urlsplit(amqp_url)
        self._broker = (parts.hostname or "127.0.0.1", parts.port or 5672)
        self._parts = parts
        self._server: asyncio.Server | None = None
        self._port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._pairs: dict[asyncio.StreamWriter, asyncio.StreamWriter] = {}
        self._orphans: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        #: Bytes that arrived and were not forwarded since the proxy was frozen.
        self.held_bytes = 0

    @property
    def url(self) -> str:
        user = f"{self._parts.username}:{self._parts.password}@" if self._parts.username else ""
        return self._parts._replace(netloc=f"{user}127.0.0.1:{self._port}").geturl()

    async def mend(self) -> None:
        """Let clients connect (again), on the same port."""
        self._flowing.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
            self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Break every connection at once and refuse new ones, as a broker that was killed does."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.break_connections()

    def break_connections(self) -> None:
        """Break every connection; new ones are taken at once."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def orphan_connections(self) -> None:
        """Break every connection on the clients' side only: the broker does not notice."""
        for client, broker in self._pairs.items():
            self._orphans.add(broker)
            client.transport.abort()
        self._pairs.clear()

    def freeze(self) -> None:
        """Forward nothing more, and break nothing: as in a memory alarm or on a dead link."""
        self.held_bytes = 0
        self._flowing.clear()

    async def close(self) -> None:
        """Break every connection and end the forwarding."""
        await self.cut()
        self._flowing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            broker_reader, broker_writer = await asyncio.open_connection(*self._broker)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, broker_writer}
        self._pairs[writer] = broker_writer
        await asyncio.gather(self._pump(reader, broker_writer), self._pump(broker_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65_536):
                if not self._flowing.is_set():
                    self.held_bytes += len(chunk)
                    await self._flowing.wait()
                writer.write(chunk)
                await writer.drain()
        if writer not in self._orphans:
            writer.close()


@contextlib.asynccontextmanager
async def amqp_proxy(amqp_url: str) -> AsyncIterator[AmqpProxy]:
    """Yield an open proxy to the broker, closed at the end."""
    proxy = AmqpProxy(amqp_url)
    await proxy.mend()
    try:
        yield proxy
    finally:
        await proxy.close()
