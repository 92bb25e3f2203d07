"""A way to the broker that sees what passes: who sent which message, and when.

The processes connect through it, so that the demo can show the messages between them with the time at which
they really passed. Bytes go on unchanged.
"""

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from sandbox.demo.amqp_stream import MessageReader, WireMessage
from shared.runtime.ids import PAYMENT_PREFIX, is_payment_id

#: The demo sends a few dozen; one that is left running must not grow.
_REMEMBERED_MESSAGES: Final = 10_000
_CHUNK_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Passed:
    """One message, as it passed."""

    #: Milliseconds since 1970.
    at_ms: float
    #: The process at our side of the broker.
    process: str
    to_broker: bool
    queue: str
    #: `payment`, `reply` or `notification`.
    type: str
    #: Empty where it is about no payment.
    payment_id: str
    reply_to: str | None


class BrokerTap:
    """Listens on loopback for each process; `passed` holds what it saw, oldest first."""

    def __init__(self, broker_url: str) -> None:
        self._url = urlsplit(broker_url)
        self._servers: list[asyncio.Server] = []
        self._connections: set[asyncio.Task[None]] = set()
        self.passed: deque[Passed] = deque(maxlen=_REMEMBERED_MESSAGES)

    @property
    def sees(self) -> bool:
        """Whether messages can be seen: not where the way to the broker is encrypted."""
        return self._url.scheme == "amqp"

    async def listen(self, process: str) -> str:
        """Return the URL by which this process reaches the broker through here."""
        if not self.sees:
            return self._url.geturl()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._connections.add(task)
            try:
                await self._relay(process, reader, writer)
            finally:
                self._connections.discard(task)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self._servers.append(server)
        user, at, _ = self._url.netloc.rpartition("@")
        port = server.sockets[0].getsockname()[1]
        return self._url._replace(netloc=f"{user}{at}127.0.0.1:{port}").geturl()

    async def _relay(self, process: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError), contextlib.closing(writer):
            broker_reader, broker_writer = await asyncio.open_connection(
                self._url.hostname or "localhost", self._url.port or 5672
            )
            with contextlib.closing(broker_writer):
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._pump(process, reader, broker_writer, to_broker=True))
                    both.create_task(self._pump(process, broker_reader, writer, to_broker=False))

    async def _pump(
        self, process: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_broker: bool
    ) -> None:
        messages = MessageReader()
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                at_ms = time.time_ns() / 1e6
                writer.write(data)
                self._note(messages.feed(data), at_ms, process, to_broker)
                await writer.drain()
            writer.write_eof()

    def _note(self, messages: Iterable[WireMessage], at_ms: float, process: str, to_broker: bool) -> None:
        for message in messages:
            content: dict[str, Any] = json.loads(message.body or b"{}")
            if "type" not in content:
                continue  # a readiness check's round trip, which reaches nobody
            self.passed.append(
                Passed(
                    at_ms=at_ms,
                    process=process,
                    to_broker=to_broker,
                    queue=message.queue,
                    type=content["type"],
                    payment_id=content.get("payment_id") or payment_of(content.get("delivery_id", "")),
                    reply_to=content.get("reply_to"),
                )
            )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)


def payment_of(delivery_id: str) -> str:
    """Return the payment whose event or order a delivery (`dlv_ULID_...`) tells of; empty for none."""
    unique = delivery_id.partition("_")[2].partition("_")[0]
    payment_id = PAYMENT_PREFIX + unique
    return payment_id if is_payment_id(payment_id) else ""
