"""A transport of httpx that calls the application in this process, and passes each part of an answer on."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
from starlette.types import ASGIApp, Message

#: Parts of an answer that wait for the reader.
_PARTS_AT_MOST: Final = 4


class InProcessTransport(httpx.AsyncBaseTransport):
    """An exchange with the application; a long answer is never held in memory as a whole."""

    def __init__(self, app: ASGIApp) -> None:
        self._app: Final = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer once its head is there."""
        body = await request.aread()
        exchange = _Exchange(body)
        task = asyncio.create_task(exchange.run(self._app, _scope(request)))
        exchange.task = task
        head = await exchange.messages.get()
        if isinstance(head, Exception):
            raise head
        assert head is not None, "an application begins with a head"
        return httpx.Response(head["status"], headers=head.get("headers", []), stream=exchange)


class _Exchange(httpx.AsyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self._closed: Final = asyncio.Event()
        self.messages: Final[asyncio.Queue[Message | Exception | None]] = asyncio.Queue(_PARTS_AT_MOST)
        self.task: asyncio.Task[None] | None = None

    async def run(self, app: ASGIApp, scope: dict[str, Any]) -> None:
        try:
            await app(scope, self._receive, self.messages.put)
        except Exception as error:
            await self.messages.put(error)
        else:
            await self.messages.put(None)

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._closed.wait()
        return {"type": "http.disconnect"}

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (message := await self.messages.get()) is not None:
            if isinstance(message, Exception):
                raise message
            if message["type"] == "http.response.body" and message.get("body"):
                yield message["body"]

    async def aclose(self) -> None:
        """End the exchange, also one that was not read to its end."""
        self._closed.set()
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])


def _scope(request: httpx.Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "root_path": "",
        "server": (request.url.host, request.url.port),
        "client": ("127.0.0.1", 0),
        "state": {},
    }
