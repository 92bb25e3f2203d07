"""The look before the write sees every byte that has arrived, and every end."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator

import pytest
from loopback import terminal_host

from shared.settings.load import load_settings
from terminal_worker.session.connection import (
    ConnectFailed,
    TcpConnection,
    TcpConnector,
    UnexpectedBytes,
    write_request,
)

PORT = 8888
#: The event loop has fetched what there was.
FETCHED = pytest.mark.parametrize("is_fetched", [False, True], ids=["in the kernel", "fetched"])


@contextlib.asynccontextmanager
async def both_ends() -> AsyncIterator[tuple[TcpConnection, socket.socket]]:
    """A connection of ours, and the peer's blocking socket: what it sends is there at once."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((terminal_host(), PORT))
        listening.listen()
        connect = TcpConnector(load_settings(amqp_url="amqp://unused/"))
        connection = await connect(f"{listening.getsockname()[0]}:{PORT}")
        peer, _ = listening.accept()
        with peer:
            peer.settimeout(10)
            yield connection, peer
        await connection.close()


async def fetch() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@FETCHED
async def test_bytes_that_are_there_forbid_the_write(is_fetched: bool) -> None:
    """They are in the error, and stay to be read."""
    async with both_ends() as (connection, peer):
        peer.send(b"hello")
        if is_fetched:
            await fetch()

        with pytest.raises(UnexpectedBytes) as raised:
            write_request(connection, b"request")

        assert raised.value.received == b"hello"
        assert await connection.read() == b"hello"
        await connection.close()
        assert peer.recv(10) == b""


@FETCHED
@pytest.mark.parametrize("is_reset", [False, True])
async def test_a_connection_that_has_ended_forbids_the_write(is_fetched: bool, is_reset: bool) -> None:
    """Closed or reset by the peer: nothing was sent, and nothing came."""
    async with both_ends() as (connection, peer):
        if is_reset:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        if is_fetched:
            await fetch()

        with pytest.raises(ConnectFailed) as raised:
            write_request(connection, b"request")

        assert not isinstance(raised.value, UnexpectedBytes)


async def test_a_silent_peer_gets_the_request_and_its_answer_is_read() -> None:
    """Peeking consumes nothing."""
    async with both_ends() as (connection, peer):
        write_request(connection, b"request")

        assert peer.recv(10) == b"request"
        peer.send(b"answer")
        assert await connection.read() == b"answer"
