"""The messages in the bytes of an AMQP 0-9-1 connection, one direction of it; pure."""

import struct
from dataclasses import dataclass
from typing import Final

#: A client's first bytes, before its first frame.
PROTOCOL_HEADER: Final = b"AMQP\x00\x00\x09\x01"

_FRAME_START: Final = struct.Struct(">BHI")  # type, channel, length of the payload
_FRAME_END_BYTES: Final = 1
_METHOD, _HEADER, _BODY = 1, 2, 3
_PUBLISH: Final = struct.pack(">HH", 60, 40)
_DELIVER: Final = struct.pack(">HH", 60, 60)


@dataclass(frozen=True, slots=True)
class WireMessage:
    """A message on its way to the broker (`basic.publish`) or from it (`basic.deliver`)."""

    #: The default exchange delivers to the queue that the routing key names.
    queue: str
    body: bytes


@dataclass(slots=True)
class _Begun:
    queue: str
    missing: int = 0
    body: bytes = b""


class MessageReader:
    """Takes one direction's bytes as they come and returns the messages that they complete.

    Everything but messages is passed over: connection, channels, acknowledgements, heartbeats.
    """

    def __init__(self) -> None:
        self._pending = b""
        self._begun: dict[int, _Begun] = {}

    def feed(self, data: bytes) -> list[WireMessage]:
        self._pending = (self._pending + data).removeprefix(PROTOCOL_HEADER)
        if len(self._pending) < len(PROTOCOL_HEADER) and PROTOCOL_HEADER.startswith(self._pending):
            return []  # perhaps a protocol header that has not arrived whole
        complete = []
        while len(self._pending) >= _FRAME_START.size:
            kind, channel, length = _FRAME_START.unpack_from(self._pending)
            end = _FRAME_START.size + length
            if len(self._pending) < end + _FRAME_END_BYTES:
                break
            message = self._take(kind, channel, self._pending[_FRAME_START.size : end])
            if message is not None:
                complete.append(message)
            self._pending = self._pending[end + _FRAME_END_BYTES :]
        return complete

    def _take(self, kind: int, channel: int, payload: bytes) -> WireMessage | None:
        if kind == _METHOD:
            queue = _queue_of(payload)
            if queue is not None:
                self._begun[channel] = _Begun(queue)
            return None
        begun = self._begun.get(channel)
        if begun is None or kind not in {_HEADER, _BODY}:
            return None
        if kind == _HEADER:
            (begun.missing,) = struct.unpack_from(">Q", payload, 4)
        else:
            begun.body += payload
            begun.missing -= len(payload)
        if begun.missing > 0:
            return None
        del self._begun[channel]
        return WireMessage(begun.queue, begun.body)


def _queue_of(method: bytes) -> str | None:
    """Return the routing key of a publish or a deliver, None for every other method."""
    position = 4
    if method.startswith(_PUBLISH):
        position += 2  # a reserved number
    elif method.startswith(_DELIVER):
        _, position = _short_string(method, position)  # the consumer's tag
        position += 9  # the delivery's number, redelivered or not
    else:
        return None
    _, position = _short_string(method, position)  # the exchange
    return _short_string(method, position)[0]


def _short_string(data: bytes, position: int) -> tuple[str, int]:
    end = position + 1 + data[position]
    return data[position + 1 : end].decode(), end
