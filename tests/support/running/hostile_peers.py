"""Terminals or webhook receivers that do what nobody expects, in a process of their own.

`python -m running.hostile_peers terminals 5` listens on five free ports for each behaviour, writes one JSON
object with the ports by behaviour, and ends with its input. A process, because a flood in the same one would
slow the clock of whoever measures.
"""

import asyncio
import contextlib
import json
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import repeat
from pathlib import Path

Behaviour = Callable[[StreamReader, StreamWriter], Awaitable[None]]

_SUPPORT = Path(__file__).parents[1]
_FLOOD = 65_536
_INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"


def _flood(piece: bytes, *, after: int = 1, begin: bytes = b"", pause_seconds: float = 0) -> Behaviour:
    """Return a behaviour: `begin`, then the piece for ever; `after` bytes of a request, 0: at once."""

    async def behave(reader: StreamReader, writer: StreamWriter) -> None:
        if after:
            await reader.read(after)
        writer.write(begin)
        for _ in repeat(None):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_seconds)

    return behave


async def _close(reader: StreamReader, writer: StreamWriter) -> None:
    await reader.read(1)
    writer.transport.abort()


async def _say_nothing(reader: StreamReader, writer: StreamWriter) -> None:
    del writer
    while await reader.read(_FLOOD):
        continue


def _says(answer: bytes) -> Behaviour:
    async def behave(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        await writer.drain()
        await reader.read()

    return behave


def _redirects_to(url: str) -> Behaviour:
    return _says(f"HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n".encode())


TERMINALS: dict[str, Behaviour] = {
    "bytes before the request": _flood(b"CZ0040300" * 1000, after=0),
    "a frame without an end": _flood(b"A" * _FLOOD, begin=b"\x02"),
    "a byte twice a second": _flood(b"C", pause_seconds=0.5),
    "line ends": _flood(b"\r\n", pause_seconds=0.001),
    "wrong check bytes": _flood(b"\x02CZ0040300\x03\x00"),
    "fields without number": _flood(b"AA001x" * 1000),
    "control bytes": _flood(b"\x04\x06\x15\x05\x00" * 10_000),
    "the longest fields": _says(
        b"CZ0040300" + b"".join(b"Z%c999%s" % (65 + n, b"9" * 999) for n in range(26))
    ),
    "a close": _close,
    "silence": _say_nothing,
}
RECEIVERS: dict[str, Behaviour] = {
    "an endless header": _flood(b"a" * _FLOOD, begin=b"HTTP/1.1 200 OK\r\nX: "),
    "endless headers": _flood(b"X: y\r\n" * 1000, begin=b"HTTP/1.1 200 OK\r\n"),
    "endless interim answers": _flood(_INTERIM * 1000),
    "an endless body": _flood(b"a" * _FLOOD, begin=b"HTTP/1.1 200 OK\r\n\r\n"),
    "an endless body of an error": _flood(
        b"1\r\na\r\n" * 1000, begin=b"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n"
    ),
    "a byte twice a second": _flood(b"a", begin=b"HTTP/1.1 200 OK\r\nX: ", pause_seconds=0.5),
    "no HTTP": _flood(b"\x00\xff" * 1000),
    "a redirect to loopback": _redirects_to("http://127.0.0.1:5432/"),
    "a redirect to the metadata": _redirects_to("http://169.254.169.254/latest/meta-data/"),
    "a close": _close,
    "silence": _say_nothing,
}


@contextlib.asynccontextmanager
async def hostile_peers(kind: str, number_each: int) -> AsyncIterator[dict[str, list[int]]]:
    """Run the process while the block runs; yield the ports by behaviour, on 127.0.0.1."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "running.hostile_peers", kind, str(number_each)),
        cwd=_SUPPORT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        yield json.loads(await process.stdout.readline())
    finally:
        process.kill()
        await process.wait()


def _guarded(behave: Behaviour) -> Callable[[StreamReader, StreamWriter], Awaitable[None]]:
    async def handle(reader: StreamReader, writer: StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await behave(reader, writer)
        writer.close()

    return handle


async def _serve(behaviours: dict[str, Behaviour], number_each: int) -> None:
    async def ports(behave: Behaviour) -> AsyncIterator[int]:
        for _ in range(number_each):
            server = await asyncio.start_server(_guarded(behave), "127.0.0.1", 0)
            yield server.sockets[0].getsockname()[1]

    opened = {name: [port async for port in ports(behave)] for name, behave in behaviours.items()}
    sys.stdout.write(json.dumps(opened) + "\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve({"terminals": TERMINALS, "receivers": RECEIVERS}[sys.argv[1]], int(sys.argv[2])))
