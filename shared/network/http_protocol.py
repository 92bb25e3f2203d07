"""uvicorn's HTTP protocol with limits, for a server that anybody can reach.

Limited are a request's head (bytes, headers, time), the bytes of chunks beside their content, the rest of a
body that nobody reads, data sent before the answer to an earlier request, and an address's connections
without a log-in. Data that is no HTTP is refused after the answers to all requests before it.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.network.client_addresses import TooManyConnections
from shared.network.http_bounds import (
    BODY_PIECE_BYTES,
    CLIENT_LEFT,
    FRAMING_BYTES,
    FRAMING_FACTOR,
    HEAD_BYTES,
    HEAD_PIECE_BYTES,
    HEADERS,
    LOGGED_IN,
    REST_BYTES,
    REST_SECONDS,
    Bounds,
    GuardedTransport,
    HeadTooLarge,
    Refusal,
)

_log = structlog.get_logger()


class BoundedProtocol(HttpToolsProtocol):
    """One connection of a client."""

    # Beside uvicorn's own attributes: with more of them each connection would have a dictionary of its own.
    __slots__ = (
        "_body_bytes",
        "_body_is_open",
        "_bounds",
        "_content_bytes",
        "_counted_key",
        "_head_bytes",
        "_head_is_open",
        "_head_number",
        "_header_count",
        "_open_requests",
        "_ours",
        "_pending",
        "_real",
        "_refusal",
        "_rest_bytes",
        "_timer",
    )

    def __init__(self, *given: Any, bounds: Bounds, **named: Any) -> None:
        super().__init__(*given, **named)
        self._bounds: Final = bounds
        self._real: asyncio.Transport
        self._ours: GuardedTransport
        #: The key under which the connection is counted until a log-in.
        self._counted_key: str | None = None
        self._timer: asyncio.TimerHandle | None = None
        #: Requests whose head is complete and whose answer is not.
        self._open_requests = 0
        #: The head that is being read: its number, state and size.
        self._head_number = 0
        self._head_is_open = False
        self._head_bytes = 0
        self._header_count = 0
        #: The body that is being read: its state, its bytes with and without framing.
        self._body_is_open = False
        self._body_bytes = 0
        self._content_bytes = 0
        #: Data received before the answer to an earlier request, parsed after it.
        self._pending = bytearray()
        #: The reason to parse nothing more.
        self._refusal: Refusal | None = None
        #: Bytes that were read and discarded.
        self._rest_bytes = 0

    # The connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is none of asyncio's classes.
        self._real = cast(asyncio.Transport, transport)
        self._ours = GuardedTransport(self._real, self._close)
        super().connection_made(cast(asyncio.Transport, self._ours))
        try:
            self._counted_key = self._bounds.unauthenticated.add(self.client[0] if self.client else None)
        except TooManyConnections:
            self._refusal = Refusal.TOO_MANY_CONNECTIONS
            self._write_refusal()
            self._real.close()
            return
        self._start_timer(self._bounds.head_timeout_seconds, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._stop_counting()
        super().connection_lost(exc)

    def _stop_counting(self) -> None:
        if self._counted_key is not None:
            self._bounds.unauthenticated.remove(self._counted_key)
            self._counted_key = None

    # Received data

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if self._refusal is not None or self._ours.is_ending:
            self._discard(len(data))
        elif self._is_answering and not self._body_is_open:
            self._postpone(data)
        else:
            self._parse(data)

    @property
    def _is_answering(self) -> bool:
        return self._open_requests > 0

    def _postpone(self, data: bytes) -> None:
        self._pending += data
        self.flow.pause_reading()
        if len(self._pending) > REST_BYTES:
            self._pending.clear()
            self._refuse(Refusal.MALFORMED)

    def _parse(self, data: bytes) -> None:
        place = 0
        while place < len(data):
            if self._refusal is not None or self._ours.is_ending:
                return
            if self._is_answering and not self._body_is_open:
                self._postpone(data[place:])
                return
            end = place + (BODY_PIECE_BYTES if self._body_is_open else HEAD_PIECE_BYTES)
            self._feed(data[place:end])
            place = end
        waits_for_head = not self._body_is_open and not self._is_answering and self._refusal is None
        if waits_for_head and self._timer is None:
            self._start_timer(self._bounds.head_timeout_seconds, self._head_is_late)

    def _feed(self, piece: bytes) -> None:
        head = self._head_number if self._head_is_open else None
        body_was_open = self._body_is_open
        try:
            self._feed_parser(piece)
        except httptools.HttpParserError as error:
            too_large = isinstance(error.__context__, HeadTooLarge)
            self._refuse(Refusal.HEAD_TOO_LARGE if too_large else Refusal.MALFORMED)
            return
        if self._head_is_open and head == self._head_number:
            self._head_bytes += len(piece)
            if self._head_bytes > HEAD_BYTES:
                self._refuse(Refusal.HEAD_TOO_LARGE)
        elif body_was_open and self._body_is_open:
            self._body_received(len(piece))

    def _feed_parser(self, piece: bytes) -> None:
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            # Nothing is upgraded here; the following bytes are read as HTTP.
            rest = piece[upgrade.args[0] :]
            if rest and len(rest) < len(piece):
                self._feed_parser(rest)

    def _body_received(self, size: int) -> None:
        self._body_bytes += size
        if self._body_bytes > FRAMING_BYTES + FRAMING_FACTOR * self._content_bytes:
            self._refuse(Refusal.MALFORMED)
        elif self.cycle.response_complete:
            self._discard(size)

    # The parser's callbacks

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_number += 1
        self._head_is_open = True
        self._head_bytes = 0
        self._header_count = 0
        self.scope["state"][LOGGED_IN] = self._stop_counting
        self.scope["state"][CLIENT_LEFT] = self._ours.is_closing

    def on_header(self, name: bytes, value: bytes) -> None:
        # Trailers, which follow a body in chunks, are ignored.
        if self._head_is_open:
            self._header_count += 1
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > HEAD_BYTES or self._header_count > HEADERS:
            raise HeadTooLarge
        self._stop_timer()
        self._head_is_open = False
        # Raises for a target that is no path, as that of CONNECT: then this head begins no request.
        super().on_headers_complete()
        self._body_is_open = True
        self._body_bytes = self._content_bytes = 0
        self._open_requests += 1

    def on_body(self, body: bytes) -> None:
        self._content_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._body_is_open = False
        self._rest_bytes = 0
        if self.cycle.response_complete:
            # The rest of a refused body was read and discarded.
            self._stop_timer()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        super().on_message_complete()

    # Answers

    def on_response_complete(self) -> None:
        self._open_requests -= 1
        super().on_response_complete()
        if self._pending:
            self.flow.pause_reading()
        if self._ours.is_closing() or self._is_answering:
            return
        if self._refusal is not None:
            self._end_with_refusal()
        elif self._body_is_open:
            self._unset_keepalive_if_required()
            self._start_timer(REST_SECONDS, self._close)
        elif self._pending:
            self._unset_keepalive_if_required()
            pending = bytes(self._pending)
            self._pending.clear()
            self.flow.resume_reading()
            self._parse(pending)
        elif self._head_is_open:
            self._unset_keepalive_if_required()
            self._start_timer(self._bounds.head_timeout_seconds, self._head_is_late)

    def _refuse(self, refusal: Refusal) -> None:
        """Parse nothing more; refuse once every complete request has its answer."""
        if self._refusal is not None:
            return
        self._refusal = refusal
        self._stop_timer()
        if self._body_is_open:
            self._give_up_request()
        if not self._is_answering:
            self._end_with_refusal()

    def _give_up_request(self) -> None:
        """End the last request, whose body will never be complete: its reader gets a disconnect."""
        self._body_is_open = False
        if self.pipeline and self.pipeline[0][0] is self.cycle:
            self.pipeline.popleft()
            self._open_requests -= 1
        elif not self.cycle.response_started:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self._open_requests -= 1

    def _end_with_refusal(self) -> None:
        if not self._ours.is_closing():
            self._write_refusal()
            self._close()

    def _write_refusal(self) -> None:
        assert self._refusal is not None
        _log.info("connection refused", reason=self._refusal.name.lower(), client=self.client)
        self._real.write(self._bounds.refuse(self._refusal))

    # The end

    def _close(self) -> None:
        """Close; where the client still sends, read a part of it first, so that it gets the answer."""
        if self._ours.is_ending or self._real.is_closing():
            return
        self._stop_timer()
        still_sends = self._head_is_open or self._body_is_open or self._pending or self._refusal is not None
        if not still_sends or not self._real.can_write_eof():
            self._real.close()
            return
        self._ours.is_ending = True
        self._real.write_eof()
        if self._rest_bytes <= REST_BYTES:
            self.flow.resume_reading()
        self._start_timer(REST_SECONDS, self._real.close)

    def _discard(self, size: int) -> None:
        self._rest_bytes += size
        if self._rest_bytes > REST_BYTES:
            # Closing now would lose the answer: the client's sending blocks, which leaves it time to read.
            self.flow.pause_reading()
            if self._refusal is None:
                self._close()

    def _head_is_late(self) -> None:
        if self._head_is_open:
            self._refuse(Refusal.HEAD_TIMEOUT)
        else:
            # No request was begun, so there is nothing to answer.
            self._real.close()

    def _start_timer(self, seconds: float, then: Callable[[], None]) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, then)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
