"""The stream of a webhook's connection."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpcore
import pytest
from eventually import eventually

from notifier_worker.http.network_stream import TransportStream

#: More than the sockets' buffers hold.
FLOOD_BYTES = 32 * 1024 * 1024
Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def connected(peer: Peer) -> AsyncIterator[TransportStream]:
    """Yield a stream to a receiver that does what `peer` says."""
    server = await asyncio.start_server(peer, "127.0.0.1", 0)
    stream = await TransportStream.connect("127.0.0.1", server.sockets[0].getsockname()[1], 30)
    try:
        yield stream
    finally:
        await stream.aclose()
        server.close()


async def test_a_flood_that_nobody_reads_is_not_taken() -> None:
    """The receiver's sending blocks, and goes on once the bytes are read."""
    ended = asyncio.Event()

    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"x" * FLOOD_BYTES)
        await writer.drain()
        ended.set()
        writer.close()

    async with connected(flood) as stream:
        await eventually(lambda: stream.get_extra_info("is_readable"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await ended.wait()

        read = 0
        while piece := await stream.read(8192):
            read += len(piece)
        assert read == FLOOD_BYTES


async def test_a_connection_that_was_closed_while_it_was_idle_is_seen_as_such() -> None:
    """Otherwise the next webhook would be written into it."""
    close = asyncio.Event()

    async def close_later(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await close.wait()
        writer.close()

    async with connected(close_later) as stream:
        assert not stream.get_extra_info("is_readable")
        close.set()
        await eventually(lambda: stream.get_extra_info("is_readable"))
        assert await stream.read(8192) == b""


async def test_a_write_that_is_not_taken_ends_with_its_time_or_with_its_connection() -> None:
    """A receiver that reads nothing, and then breaks off."""
    break_off = asyncio.Event()

    async def read_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await break_off.wait()
        writer.transport.abort()

    async with connected(read_nothing) as stream:
        with pytest.raises(httpcore.WriteTimeout):
            await stream.write(b"x" * FLOOD_BYTES, 0.1)
        waiting = asyncio.create_task(stream.write(b"x", 60))
        break_off.set()
        await waiting
        with pytest.raises(httpcore.ReadError):
            await stream.read(8192)
        with pytest.raises(httpcore.WriteError):
            await stream.write(b"x")
