"""The bytes of one connection as frames, one after the other.

There is no terminator between frames, so a frame begins where the protocol version (CZ, every frame's first
field) comes after a silence: a short one where the frame before was whole or unreadable, a long one where it
may still go on. Everything else belongs to the frame that is there: a field that comes late is read with the
answer it completes, and may contradict it.

Concert over IP has no terminator of an answer either: silence and the close decide where it ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from shared.concert import fields as f
from shared.concert.decode import MAX_FRAME_BYTES, MAX_FRAME_FIELDS, Decoder, Frame
from shared.concert.echoes import amount_in, differing_echo
from shared.concert.framing import begins_frame
from shared.concert.mask import allowed_fields, show_unreadable

SHORT_IDLE_SECONDS: Final = 0.25
LONG_IDLE_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Complete:
    """A frame that is the whole answer, or all of it but the end of its receipt."""


@dataclass(frozen=True, slots=True)
class Wait:
    """More is expected: check again after `seconds` without a byte; None: only bytes or a close change it."""

    seconds: float | None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Bytes that cannot become an answer, for the reason given."""

    reason: str


Completeness = Complete | Wait | Unreadable


def check_completeness(
    frame: Frame,
    *,
    sent: Mapping[str, str],
    known_echoes: frozenset[str] | None,
    peer_closed: bool,
    idle_seconds: float,
    accepts_partial: bool = False,
    short_idle_seconds: float = SHORT_IDLE_SECONDS,
    long_idle_seconds: float = LONG_IDLE_SECONDS,
) -> Completeness:
    """Decide whether the answer is complete.

    `frame` is `Decoder.frame(ended=...)`, with `ended` true once the peer has closed or `idle_seconds` (since
    the last byte) has reached `long_idle_seconds`. `sent` are the request's fields, `known_echoes` those that
    this terminal always gives back (None: not known yet). Complete says nothing about the answer's meaning.
    """
    if frame.error is not None:
        return Unreadable(frame.error)
    ended = peer_closed or idle_seconds >= long_idle_seconds
    if not {f.PROTOCOL_VERSION, f.STATUS} <= frame.fields.keys():
        return _incomplete(frame, peer_closed)
    if not frame.at_boundary:
        if not ended:
            return Wait(long_idle_seconds - idle_seconds)
        if _only_receipt_is_cut(frame, sent, known_echoes or frozenset(), accepts_partial):
            return Complete()
        return _incomplete(frame, peer_closed)
    if ended:
        return Complete()
    if known_echoes is None or not known_echoes <= frame.fields.keys():
        return Wait(long_idle_seconds - idle_seconds)
    if idle_seconds >= short_idle_seconds:
        return Complete()
    return Wait(short_idle_seconds - idle_seconds)


def _incomplete(frame: Frame, peer_closed: bool) -> Completeness:
    if not peer_closed:
        return Wait(None)
    if frame.is_empty:
        return Unreadable("closed without an answer")
    return Unreadable("closed in the middle of an answer")


def _only_receipt_is_cut(
    frame: Frame, sent: Mapping[str, str], known_echoes: frozenset[str], accepts_partial: bool
) -> bool:
    """Return whether the receipt alone is cut: real terminals announce it a character or two too long.

    The fields that could contradict the request must be there and agree: a cut answer may have lost others.
    """
    if frame.cut is None or frame.cut.tag not in (f.RECEIPT, f.RECEIPT_TEXT) or frame.cut.length is None:
        return False
    if not known_echoes | {f.AMOUNT} <= frame.fields.keys() or frame.repeated:
        return False
    asked, answered = amount_in(sent), amount_in(frame.fields)
    assert asked is not None
    assert answered is not None
    is_amount_agreed = answered == asked or (accepts_partial and 0 < answered < asked)
    return is_amount_agreed and differing_echo(frame.fields, sent) is None


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
        """True while nothing came since `mark_decided` that could change the frame."""
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
