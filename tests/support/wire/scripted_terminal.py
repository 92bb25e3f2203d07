"""A terminal whose connections follow a script, byte for byte, and keep the received bytes."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from types import TracebackType

from loopback import terminal_host

from shared.concert.decode import Decoder
from shared.concert.encode import encode_fields

PORT = 8888


class Talk:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = Decoder()
        self.closed = asyncio.Event()

    async def request(self) -> dict[str, str]:
        """Read a request whole and return its fields."""
        while True:
            frame = self._decoder.frame()
            # CK is the last field of a request as it is sent by default.
            if frame.at_boundary and "CK" in frame.fields:
                return dict(frame.fields)
            if not await self._receive():
                return dict(self._decoder.frame(ended=True).fields)

    async def identified(self) -> bool:
        """Answer an identification, the ping after an address's first payment; False: another request."""
        await self._receive()
        asked = self._decoder.frame().fields
        if asked.get("CD") != "I":
            return False
        self.write(encode_fields([*((tag, asked[tag]) for tag in ("CZ", "CJ", "CA", "CD")), ("AE", "10")]))
        return True

    async def read_to_end(self) -> None:
        """Keep received bytes until the other side has closed."""
        with contextlib.suppress(OSError):
            while await self._receive():
                pass

    async def _receive(self) -> bool:
        received = await self._reader.read(4096)
        self._decoder.feed(received)
        return bool(received)

    @property
    def received(self) -> bytes:
        return self._decoder.received

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def answer(self, asked: dict[str, str], **changes: str | None) -> None:
        """Write the answer of an approved contact payment; a field given replaces its value."""
        self.write(answer_to(asked, **changes))

    def close(self) -> None:
        self._writer.close()

    def reset(self) -> None:
        """Break the connection so that the other side reads an error, not an end."""
        connection = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def peer_closed(self) -> None:
        """Wait until the other side has closed."""
        while await self._reader.read(4096):
            pass


def answer_to(asked: dict[str, str], **changes: str | None) -> bytes:
    """Return the answer of an approved contact payment; None leaves a field out."""
    echoed: dict[str, str | None] = {
        tag: asked[tag] for tag in ("CZ", "CJ", "CA", "CB", "CD", "CE", "CF") if tag in asked
    }
    fields: dict[str, str | None] = {**echoed, "CC": "001", "AE": "10", "AC": "184117", **changes}
    return encode_fields([(tag, value) for tag, value in fields.items() if value is not None])


Script = Callable[[Talk], Awaitable[None]]


class ScriptedTerminal:
    """Listens on port 8888 of an address of its own between `__aenter__` and `__aexit__`.

    Identifications are answered by themselves and are no talks, unless `scripts_all`.
    """

    def __init__(self, script: Script, *, scripts_all: bool = False) -> None:
        self.host = terminal_host()
        self.talks: list[Talk] = []
        self._script = script
        self._scripts_all = scripts_all
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "ScriptedTerminal":
        self._server = await asyncio.start_server(self._serve, self.host, PORT)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        talk = Talk(reader, writer)
        try:
            with contextlib.suppress(asyncio.CancelledError, OSError):
                if self._scripts_all or not await talk.identified():
                    self.talks.append(talk)
                    await self._script(talk)
        finally:
            talk.close()
            talk.closed.set()
            self._tasks.discard(task)


async def says_nothing(talk: Talk) -> None:
    """Read everything, answer nothing, until the other side closes."""
    await talk.request()
    await talk.peer_closed()


async def answers(talk: Talk) -> None:
    """Answer an approved contact payment at once."""
    talk.answer(await talk.request())


def answers_after(customer_pays: asyncio.Event) -> Script:
    """Answer an approved contact payment once the customer has paid."""

    async def script(talk: Talk) -> None:
        asked = await talk.request()
        await customer_pays.wait()
        talk.answer(asked)

    return script


async def closes(talk: Talk) -> None:
    """Read the request, and lose the connection."""
    await talk.request()
