"""Attacks by endless heads, half requests and hundreds of connections: others never wait."""

import asyncio
import contextlib

from running.attacks import Target
from wire.raw_http import HEALTH, RawConnection, raw_connection, request

#: Most memory that the process may take during an attack.
MEGABYTES = 40


async def answered_while_sending(connection: RawConnection, piece: bytes, *, pause_seconds: float = 0) -> int:
    """Send the piece again and again until the server answers; return the status."""
    answering = asyncio.create_task(connection.answer())
    while not answering.done():
        await connection.send(piece)
        await asyncio.sleep(pause_seconds)
    return (await answering)[0]


async def test_an_endless_head_is_refused_at_once(target: Target) -> None:
    """20 clients never end their head, for as long as the server reads."""

    async def send() -> None:
        async with raw_connection(target.port) as connection:
            await connection.send(b"GET / HTTP/1.1\r\nX: ")
            assert await answered_while_sending(connection, b"a" * 65_536) == 431

    async with target.attacked("endless heads") as bystander:
        await asyncio.gather(*(send() for _ in range(20)))

    assert bystander.megabytes < MEGABYTES


async def test_half_requests_end_by_themselves(target: Target) -> None:
    """100 heads of which a byte comes now and then are answered 408."""

    async def send() -> None:
        async with raw_connection(target.port) as connection:
            await connection.send(b"GET / HTTP/1.1\r\n")
            assert await answered_while_sending(connection, b"X: y\r\n", pause_seconds=0.5) == 408

    async with target.attacked("half requests"), asyncio.timeout(60):
        await asyncio.gather(*(send() for _ in range(100)))


async def test_chunks_without_an_end_are_bounded(target: Target) -> None:
    """Extensions, trailers and chunks of one byte."""
    head = request(
        "POST", "/v1/connector/order", b"", {**target.logins["merchant"], "Transfer-Encoding": "chunked"}
    ).replace(b"Content-Length: 0\r\n", b"")

    async def send(endless: bytes, begin: bytes) -> None:
        async with raw_connection(target.port) as connection:
            await connection.send(head + begin)
            assert await answered_while_sending(connection, endless) in (400, 413)

    async with target.attacked("endless chunks") as bystander, asyncio.timeout(60):
        await asyncio.gather(
            *(send(b"x" * 65_536, b"5;") for _ in range(5)),
            *(send(b"x" * 65_536, b"0\r\nX: ") for _ in range(5)),
            *(send(b"1\r\n \r\n" * 10_000, b"") for _ in range(5)),
        )

    assert bystander.megabytes < MEGABYTES


async def test_a_flood_of_requests_in_few_packets_is_answered_in_turn(target: Target) -> None:
    """Four clients send 20,000 requests each as fast as the network takes them."""
    number = 20_000

    async def send() -> None:
        async with raw_connection(target.port) as connection:
            sending = asyncio.create_task(connection.send(request("GET", "/v1/nothing") * number))
            for _ in range(number // 10):
                assert (await connection.answer())[0] == 404
            sending.cancel()

    # The number of whole requests is another limit's subject.
    async with target.attacked("requests sent at once", health_waits=True) as bystander:
        await asyncio.gather(*(send() for _ in range(4)))

    assert bystander.megabytes < MEGABYTES


async def test_connections_of_one_address_are_bounded_before_their_login(target: Target) -> None:
    """500 connections: those above the limit are refused at once, and others are served as before."""
    async with contextlib.AsyncExitStack() as stack, target.attacked("500 silent connections"):
        opened = [await stack.enter_async_context(raw_connection(target.port)) for _ in range(500)]
        refused = 0
        for connection in opened[-200:]:
            status, _, _ = await connection.answer()
            refused += status == 429

    assert refused == 200


async def test_a_refused_body_is_not_read_for_ever(target: Target) -> None:
    """10 GB announced without a log-in."""

    async def send() -> None:
        async with raw_connection(target.port) as connection:
            await connection.send(
                request("POST", "/v1/connector/order").replace(b"Length: 0", b"Length: 9999999999")
            )
            assert (await connection.answer())[0] == 401
            async with asyncio.timeout(30):
                while connection.reader.exception() is None and not connection.reader.at_eof():
                    await connection.send(b"x" * 65_536)
                    await asyncio.sleep(0)

    async with target.attacked("endless refused bodies"):
        await asyncio.gather(*(send() for _ in range(10)))
    async with raw_connection(target.port) as connection:
        await connection.send(HEALTH)
        assert (await connection.answer())[0] == 200
