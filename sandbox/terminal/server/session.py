"""One connection to the virtual terminal: a request in, an answer out."""

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from typing import Any, Final, cast

from sandbox.terminal.device.device import Device
from sandbox.terminal.device.session_log import SessionRecord, operation_name
from sandbox.terminal.script.behaviour import Behaviour
from sandbox.terminal.server.answer_delivery import pieces
from sandbox.terminal.server.request import Request, check_request, is_whole
from shared.concert.decode import Decoder, Frame

#: Wait for CR LF, where they are required, before the request is rejected.
_LINE_END_WAIT_SECONDS: Final = 0.05
#: SO_LINGER on, zero seconds: closing resets the connection.
_RESET: Final = struct.pack("ii", 1, 0)


class Session(asyncio.Protocol):
    """Protocol of one connection: reads one request, writes one answer, reports its end."""

    def __init__(
        self,
        device: Device,
        *,
        on_open: Callable[["Session"], None],
        on_request: Callable[["Session", Request], None],
        on_closed: Callable[["Session"], None],
    ) -> None:
        self._device = device
        self._on_open = on_open
        self._on_request = on_request
        self._on_closed = on_closed
        self._decoder = Decoder(exact=True)
        self._request_taken = False
        self._peer_ended = False
        self._idle_timer: asyncio.TimerHandle | None = None
        self._piece_timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport
        self.record: SessionRecord
        self.is_closed = False
        self.greeting = ""
        self._is_forgotten = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self.record = SessionRecord(peer=_peer_name(transport.get_extra_info("peername")))
        self._on_open(self)

    def pause(self) -> None:
        """Stop reading, as if the connection waited in the listening socket's backlog."""
        self._transport.pause_reading()

    def resume(self) -> None:
        """Begin to read a paused connection."""
        self.record.open()
        self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        self.record.passed("in", data)
        if self._is_forgotten:
            # The network has forgotten this connection: a peer that still writes is reset.
            self.reset()
        if self._request_taken:
            return
        self._cancel_idle_timer()
        frame = self._decoder.feed(data)
        if frame.error is not None:
            self._take(frame)
        elif is_whole(frame):
            self._take_or_wait(frame, has_line_end=data.endswith(b"\n"))
        elif not frame.is_empty:
            self._take_later(self._device.request_incomplete_seconds, frame)

    def _take_or_wait(self, frame: Frame, *, has_line_end: bool) -> None:
        wait = self._device.request_idle_seconds
        if self._device.requires_line_end and not has_line_end:
            wait = max(wait, _LINE_END_WAIT_SECONDS)
        elif has_line_end or not wait:
            self._take(frame)
            return
        self._take_later(wait, frame)

    def _take_later(self, seconds: float, frame: Frame) -> None:
        """Take the request as it is after these seconds, unless more bytes come before."""
        self._idle_timer = asyncio.get_running_loop().call_later(seconds, self._take, frame)

    def eof_received(self) -> bool:
        self._peer_ended = True
        if not self._request_taken and not self._decoder.frame(ended=True).is_empty:
            self._cancel_idle_timer()
            self._take(self._decoder.frame(ended=True))
        if not self._request_taken or self.record.answered:
            return False
        # The transaction goes on without its client; the client's session is over.
        self.record.close()
        return True

    def _take(self, frame: Frame) -> None:
        self._request_taken = True
        request = check_request(frame)
        if self._device.requires_line_end and not self._decoder.received.endswith(b"\n"):
            request = Request(request.fields, rejected_with="09")
        self.record.operation = operation_name(request.action)
        self.record.reference = request.reference
        if request.rejected_with is None and request.is_operation:
            self.record.amount_cents = request.amount_cents
        self._on_request(self, request)

    def greet(self, greeting: str) -> None:
        """Write the greeting, if any, before the request."""
        self.greeting = greeting
        if greeting:
            data = greeting.encode()
            self.record.passed("out", data)
            self._transport.write(data)

    @property
    def has_asked(self) -> bool:
        """Return whether a request came, whole or not."""
        return self._request_taken

    def write(
        self, data: bytes, behaviour: Behaviour, *, then: bytes = b"", then_after_seconds: float = 0.0
    ) -> None:
        """Write an answer in the behaviour's pieces, and `then` after its seconds; then end or keep open."""
        self._write_next(pieces(data, behaviour), behaviour, then, then_after_seconds)

    def _write_next(
        self, left: list[bytes], behaviour: Behaviour, then: bytes, then_after_seconds: float
    ) -> None:
        while left and not self.is_closed:
            piece, left = left[0], left[1:]
            self.record.passed("out", piece)
            self._transport.write(piece)
            if left and behaviour.piece_pause_seconds:
                self._write_later(behaviour.piece_pause_seconds, left, behaviour, then, then_after_seconds)
                return
        if then and not self.is_closed:
            self._write_later(then_after_seconds, pieces(then, behaviour), behaviour, b"", 0.0)
            return
        self.record.answered = not self.is_closed and not self._peer_ended
        if self._peer_ended or not behaviour.keeps_open:
            self.close()

    def _write_later(
        self, seconds: float, left: list[bytes], behaviour: Behaviour, then: bytes, then_after_seconds: float
    ) -> None:
        self._piece_timer = asyncio.get_running_loop().call_later(
            seconds, self._write_next, left, behaviour, then, then_after_seconds
        )

    def idle_seconds(self) -> float:
        """Return the time since the last byte."""
        last = self.record.passages[-1].monotonic_ms if self.record.passages else 0.0
        return time.monotonic() - last / 1000

    def forget(self) -> None:
        """Lose the connection in the network: no byte passes any more, and neither side is notified."""
        self._is_forgotten = True

    def close(self) -> None:
        """Close the connection after all written bytes were sent."""
        self._transport.close()

    def reset(self) -> None:
        """Reset the connection."""
        connection: socket.socket = self._transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def abort(self) -> None:
        """End the connection at once, dropping bytes that are not sent yet."""
        self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        del error
        self.is_closed = True
        self._cancel_idle_timer()
        if self._piece_timer is not None:
            self._piece_timer.cancel()
        self.record.close()
        self._on_closed(self)

    def _cancel_idle_timer(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None


def _peer_name(address: Any) -> str:
    return f"{address[0]}:{address[1]}" if address else "unknown"
