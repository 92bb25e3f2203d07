"""The end of an answer: Concert over IP has no terminator, so silence and the close decide."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.concert import fields as f
from shared.concert.decode import Frame
from shared.concert.echoes import amount_in, differing_echo

SHORT_IDLE_SECONDS: Final = 0.25
LONG_IDLE_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Complete:
    """A frame that is the whole answer; `is_receipt_cut` where only the end of its receipt is missing."""

    is_receipt_cut: bool = False


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
            return Complete(is_receipt_cut=True)
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
