"""HTTP as bytes on a socket, for requests that no library would send."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

HEALTH_PATH = "/v1/connector/healthcheck"
HEALTH = f"GET {HEALTH_PATH} HTTP/1.1\r\nHost: api\r\n\r\n".encode()


def basic(username: str, secret: str) -> dict[str, str]:
    """Return the header of a log-in."""
    pair = base64.b64encode(f"{username}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def request(method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """Return a request with its length, as JSON unless the headers say otherwise."""
    named = {
        "Host": "api",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **(headers or {}),
    }
    lines = "".join(f"{name}: {text}\r\n" for name, text in named.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


@dataclass
class RawConnection:
    """Connection of a client that may send anything."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Send bytes; a server that has closed meanwhile is no error."""
        self.writer.write(data)
        with contextlib.suppress(ConnectionError):
            await self.writer.drain()

    async def answer(self, *, within_seconds: float = 60) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers by lower-case name, and body."""
        async with asyncio.timeout(within_seconds):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            status, *lines = head.strip().split("\r\n")
            headers = {name.lower(): text for name, text in (line.split(": ", 1) for line in lines)}
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
            return int(status.split()[1]), headers, body

    async def refusal(self, status: int, code: str) -> None:
        """Check that the next answer is this error, in the contract's form, and the last one."""
        answered, headers, body = await self.answer()
        error = json.loads(body)["error"]
        assert (answered, error["status"], error["code"]) == (status, status, code), body
        assert headers["content-type"] == "application/json"
        assert headers["connection"] == "close"
        assert await self.is_closed()

    async def is_closed(self, *, within_seconds: float = 60) -> bool:
        """Wait for the server to close; return whether nothing more came before."""
        async with asyncio.timeout(within_seconds):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True


@contextlib.asynccontextmanager
async def raw_connection(port: int) -> AsyncIterator[RawConnection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    try:
        yield RawConnection(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
