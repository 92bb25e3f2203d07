"""One connection to the virtual terminal: bytes in, a request, bytes out."""

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from typing import Any, Final, cast

from sandbox.terminal.device.device import Device
from sandbox.terminal.device.ledger import SessionRecord, operation_name
from sandbox.terminal.script.behaviour import Behaviour
from sandbox.terminal.server.answer_delivery import pieces
from sandbox.terminal.server.request import Request, check_request, is_whole
from shared.concert.decode import Decoder, Frame

#: How long a terminal that wants CR LF waits for them before it rejects the request.
_LINE_END_WAIT_SECONDS: Final = 0.05
#: SO_LINGER on, zero seconds: closing resets the connection.
_RESET: Final = struct.pack("ii", 1, 0)


class Session(asyncio.Protocol):
    """Reads one request and hands it on; writes what it is told to; says when it is over."""

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

    def hold(self) -> None:
        """Leave the connection unread, as one that waits in the listening socket's backlog."""
        self._transport.pause_reading()

    def proceed(self) -> None:
        """Begin to read a connection that was held."""
        self.record.open()
        self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        self.record.passed("in", data)
        if self._is_forgotten:
            # The network knows this connection no more: whoever still writes on it is reset.
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
        """Take the request as it is, unless more of it comes before."""
        self._idle_timer = asyncio.get_running_loop().call_later(seconds, self._take, frame)

    def eof_received(self) -> bool:
        self._peer_ended = True
        if not self._request_taken and not self._decoder.frame(ended=True).is_empty:
            self._cancel_idle_timer()
            self._take(self._decoder.frame(ended=True))
        if not self._request_taken or self.record.answered:
            return False
        # A transaction goes on without its caller; for the caller the session is over.
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
        """Write before anything was asked; nothing where the greeting is empty."""
        self.greeting = greeting
        if greeting:
            data = greeting.encode()
            self.record.passed("out", data)
            self._transport.write(data)

    @property
    def has_asked(self) -> bool:
        """A request came, whole or not."""
        return self._request_taken

    def write(
        self, data: bytes, behaviour: Behaviour, *, then: bytes = b"", then_after_seconds: float = 0.0
    ) -> None:
        """Write an answer as the behaviour says, and something more later; then close the connection or keep
        it open."""
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
        """Return for how long no byte has passed."""
        last = self.record.passages[-1].monotonic_ms if self.record.passages else 0.0
        return time.monotonic() - last / 1000

    def forget(self) -> None:
        """The network has forgotten the connection: nothing passes any more, and neither side is told."""
        self._is_forgotten = True

    def close(self) -> None:
        """Close the connection once what was written has gone out."""
        self._transport.close()

    def reset(self) -> None:
        """Reset the connection."""
        connection: socket.socket = self._transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def abort(self) -> None:
        """End the connection at once, whatever was left to write."""
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
