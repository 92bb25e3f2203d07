"""A receiver of webhooks or order notifications, on a port of its own."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from shared.runtime.serving import listen, port_of, serving


@dataclass
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class WebhookReceiver:
    """Receiver that answers 200 unless a test sets other statuses."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    #: Statuses of the next answers; then 200 again.
    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    #: Answers wait for it.
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)
    _came: asyncio.Condition = field(default_factory=asyncio.Condition)

    def __post_init__(self) -> None:
        self.goes_on.set()

    def bodies(self, type_: str | None = None) -> list[Any]:
        """Return the JSON bodies that came, of one type if given."""
        bodies = [one.json for one in self.received]
        return [body for body in bodies if type_ is None or body["type"] == type_]

    async def heard(self, number: int, seconds: float = 20) -> list[Received]:
        """Wait until so many requests have come."""
        async with asyncio.timeout(seconds), self._came:
            await self._came.wait_for(lambda: len(self.received) >= number)
        return self.received

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return  # its sender died in the middle: nothing was received
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        async with self._came:
            self.received.append(Received(scope["path"], headers, body))
            self._came.notify_all()
        await self.goes_on.wait()
        status = self.statuses.pop(0) if self.statuses else 200
        answered = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": answered})
        await send({"type": "http.response.body", "body": b"heard"})


@contextlib.asynccontextmanager
async def receiving(host: str = "127.0.0.1") -> AsyncIterator[WebhookReceiver]:
    """Run a receiver while the block runs."""
    receiver = WebhookReceiver()
    listening = listen(host, 0, setting="a test's receiver")
    receiver.url = f"http://{host}:{port_of(listening)}/hooks"
    try:
        async with serving(receiver, listening, drain_seconds=1):
            yield receiver
    finally:
        receiver.goes_on.set()
        listening.close()
