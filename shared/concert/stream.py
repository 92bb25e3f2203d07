"""The bytes of one connection as frames, one after the other.

There is no terminator between frames, so a frame begins where the protocol version (CZ, every frame's first
field) comes after a silence: a short one where the frame before was whole or unreadable, a long one where it
may still go on. Everything else belongs to the frame that is there: a field that comes late is read with the
answer it completes, and may contradict it.
"""

from dataclasses import dataclass, field
from typing import Final

from shared.concert.allowed_fields import allowed_fields
from shared.concert.decode import MAX_FRAME_BYTES, MAX_FRAME_FIELDS, Decoder, Frame
from shared.concert.framing import begins_frame
from shared.concert.mask import show_unreadable

#: Frames of one connection that ended without being whole and are kept for an operator to see.
BROKEN_FRAMES_KEPT: Final = 3


@dataclass(kw_only=True)
class AnswerStream:
    """A splitter of one connection's bytes; `frame` is the frame that they end in."""

    short_idle_seconds: float
    long_idle_seconds: float
    max_bytes: int = MAX_FRAME_BYTES
    max_fields: int = MAX_FRAME_FIELDS
    #: The masked content of frames that a next one followed before they were whole.
    broken: list[dict[str, object]] = field(default_factory=list)
    #: The frame's number on its connection, from 1 on.
    number: int = 1
    _decoder: Decoder = field(init=False)
    #: Bytes that may begin a frame, too few to tell.
    _undecided: bytes = b""
    _is_decided: bool = False

    def __post_init__(self) -> None:
        self._decoder = self._new_decoder()

    @property
    def received(self) -> bytes:
        """The bytes of the frame that they end in."""
        return self._decoder.received

    @property
    def is_decided(self) -> bool:
        """Whether nothing came since `mark_decided` that could change the frame."""
        return self._is_decided

    def mark_decided(self) -> None:
        """Note that the frame is whole, or can never be: the next bytes may begin another one."""
        self._is_decided = True

    def frame(self, *, ended: bool = False) -> Frame:
        """Return the frame so far, see `Decoder.frame`."""
        return self._decoder.frame(ended=ended)

    def feed(self, data: bytes, silent_seconds: float) -> bool:
        """Take bytes that came `silent_seconds` after the last; return whether a frame begins in them."""
        if self._undecided or self._may_begin(silent_seconds):
            self._undecided += data
            begins = begins_frame(self._undecided)
            if begins is None:
                return False
            data, self._undecided = self._undecided, b""
            if begins:
                self._begin()
        before = self._decoder.frame()
        after = self._decoder.feed(data)
        if before.error is None:
            self._is_decided = False
        return before.is_empty and not after.is_empty

    def unreadable(self) -> dict[str, object]:
        """Return the frame as it may be kept: its fields, and the bytes that are none."""
        fields = allowed_fields(self._decoder.frame().fields)
        rest = show_unreadable(self._decoder.rest)
        return ({"fields": fields} if fields else {}) | ({"unread": rest} if rest else {})

    def _may_begin(self, silent_seconds: float) -> bool:
        needed = self.short_idle_seconds if self._is_decided else self.long_idle_seconds
        return bool(self._decoder.received) and silent_seconds >= needed

    def _begin(self) -> None:
        if not self._is_decided and len(self.broken) < BROKEN_FRAMES_KEPT:
            self.broken.append(self.unreadable())
        self._decoder = self._new_decoder()
        self._is_decided = False
        self.number += 1

    def _new_decoder(self) -> Decoder:
        return Decoder(max_bytes=self.max_bytes, max_fields=self.max_fields)
