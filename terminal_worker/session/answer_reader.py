"""The reader of a terminal's answer, until it is complete or will not come, and its interpretation."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from shared.concert.decode import Frame
from shared.concert.decoded_answer import AnswerMeaning, ParsedAnswer
from shared.concert.interpret import interpret_frame
from shared.concert.mask import allowed_fields, fingerprint
from shared.concert.stream import AnswerStream, Complete, Unreadable, Wait, check_completeness
from shared.payment.payment import Reason, Settlement
from shared.payment.states import Event
from shared.runtime.clock import Clock
from shared.runtime.resilience import Failpoint, no_failpoint
from shared.settings.settings import Settings
from terminal_worker.session.connection import Connection
from terminal_worker.session.request_builder import PreparedRequest


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer, not interpreted yet."""

    frame: Frame
    #: Seconds from the request's write to this frame's first byte.
    first_byte_after_seconds: float
    #: The frame's number on its connection; the same frame comes again where a field of it came late.
    number: int = 1
    #: Earlier frames that were not whole, masked.
    broken: tuple[dict[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The lack of an answer to a request that may have arrived."""

    reason: Reason
    detail: str
    #: The fields that came and the bytes that are none, masked.
    unreadable: Mapping[str, object] = field(default_factory=dict)


class AnswerReader:
    """Reads the answers of one connection, by the boot-time clock."""

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        settings: Settings,
        *,
        sent: Mapping[str, str],
        known: frozenset[str] | None,
        accepts_partial: bool = False,
        failpoint: Failpoint = no_failpoint,
    ) -> None:
        """Make a reader; `known` are the sent fields that this terminal always gives back.

        With None, not known, the close or a long silence ends the answer.
        """
        self._connection: Final = connection
        self._clock: Final = clock
        self._settings: Final = settings
        self._sent: Final = sent
        self._known_echoes: Final = known
        self._accepts_partial: Final = accepts_partial
        self._failpoint: Final = failpoint
        self._stream: Final = AnswerStream(
            short_idle_seconds=settings.idle_end_known_seconds,
            long_idle_seconds=settings.idle_end_seconds,
            max_bytes=settings.answer_limit_bytes,
            max_fields=settings.answer_limit_fields,
        )
        self._first_byte_at: float | None = None
        self._last_byte_at: float | None = None
        self.peer_closed = False

    @property
    def is_receiving(self) -> bool:
        """True while bytes of an undecided frame came: of a whole answer only the silence may be missing."""
        return bool(self._stream.received) and not self._stream.is_decided

    async def read(self, written_at: float, ends_at: float) -> Answer | NoAnswer:
        """Return the answer to a request written at `written_at`; wait until `ends_at` (boot-time seconds).

        Called again it reads on: after a time-out from where it was; after an answer or unreadable bytes the
        next frame.
        """
        last_byte_at = written_at if self._last_byte_at is None else self._last_byte_at
        while True:
            now = self._clock.boot()
            left = ends_at - now
            completeness = self._check(now - last_byte_at)
            match completeness:
                case Complete():
                    return self._answer(written_at)
                case Unreadable(reason):
                    return self._lost(
                        Reason.CONNECTION_LOST if self.peer_closed else Reason.UNREADABLE, reason
                    )
                case Wait(seconds):
                    if seconds is not None:
                        # A whole answer is there but for the silence that ends it.
                        left += self._settings.idle_end_seconds
                    if left <= 0:
                        return self._timed_out()
                    if received := await self._receive(left if seconds is None else min(left, seconds)):
                        now = self._clock.boot()
                        if self._stream.feed(received, now - last_byte_at):
                            self._first_byte_at = now
                        last_byte_at = self._last_byte_at = now
                        await self._failpoint("mid_answer")

    def _answer(self, written_at: float) -> Answer:
        assert self._first_byte_at is not None
        self._stream.mark_decided()
        return Answer(
            self._stream.frame(ended=True),
            self._first_byte_at - written_at,
            self._stream.number,
            tuple(self._stream.broken),
        )

    def _lost(self, reason: Reason, detail: str) -> NoAnswer:
        unreadable = {} if self._stream.is_decided else self._stream.unreadable()
        self._stream.mark_decided()
        return NoAnswer(reason, detail, unreadable)

    def _timed_out(self) -> NoAnswer:
        if self._stream.is_decided:
            return NoAnswer(Reason.ANSWER_TIMEOUT, "nothing more came")
        received = len(self._stream.received)
        detail = f"{received} bytes came, no whole answer"
        return NoAnswer(Reason.ANSWER_TIMEOUT, detail, self._stream.unreadable())

    def _check(self, idle_seconds: float) -> Complete | Unreadable | Wait:
        if self._stream.is_decided:
            return Unreadable("closed") if self.peer_closed else Wait(None)
        ended = self.peer_closed or idle_seconds >= self._settings.idle_end_seconds
        return check_completeness(
            self._stream.frame(ended=ended),
            sent=self._sent,
            known_echoes=self._known_echoes,
            peer_closed=self.peer_closed,
            idle_seconds=idle_seconds,
            accepts_partial=self._accepts_partial,
            short_idle_seconds=self._settings.idle_end_known_seconds,
            long_idle_seconds=self._settings.idle_end_seconds,
        )

    async def _receive(self, seconds: float) -> bytes:
        """Return the next bytes; empty where the time is over or the peer has closed."""
        try:
            async with asyncio.timeout(seconds):
                received = await self._connection.read()
        except TimeoutError:
            return b""
        self.peer_closed = not received
        return received


_EVENTS: Final = {
    AnswerMeaning.SUCCEEDED: Event.ANSWERED_DONE,
    AnswerMeaning.REFUSED: Event.ANSWERED_REFUSED,
    AnswerMeaning.ABORTED: Event.ANSWERED_ABORTED,
    AnswerMeaning.BUSY: Event.ANSWERED_BUSY,
    AnswerMeaning.IN_DOUBT: Event.OUTCOME_LOST,
}


def interpret_answer(
    answer: Answer, prepared: PreparedRequest, settings: Settings, detail: dict[str, object]
) -> Settlement:
    """Return the settlement of a complete answer; `detail` goes into the history beside it."""
    parsed = interpret_frame(
        answer.frame,
        prepared.request,
        prepared.profile,
        first_byte_after_seconds=answer.first_byte_after_seconds,
        busy_within_seconds=settings.busy_answer_seconds,
    )
    if answer.broken:
        detail = {**detail, "broken": list(answer.broken)}
    return Settlement(
        event=_EVENTS[parsed.meaning],
        reason=parsed.reason,
        result=parsed.result,
        detail={**detail, **_details(answer.frame, parsed)},
    )


def not_interpreted(answer: Answer, error: Exception) -> dict[str, object]:
    """Return the details kept for an operator of a complete answer that made our code fail."""
    return {"error": type(error).__name__, "fields": allowed_fields(answer.frame.fields)}


def stored_answer(frame: Frame, parsed: ParsedAnswer) -> dict[str, object]:
    """Return the part of an answer that history and evidence keep: its allowed fields, or fingerprints alone
    where it may be another merchant's."""
    if not parsed.is_foreign:
        return {"answer": allowed_fields(frame.fields)}
    kept: dict[str, object] = {"fingerprint": fingerprint(frame.fields)}
    if parsed.receipt_fingerprint is not None:
        kept["receipt_fingerprint"] = parsed.receipt_fingerprint
    return kept


def _details(frame: Frame, parsed: ParsedAnswer) -> dict[str, object]:
    """Return the details that history keeps beside the result: the answer, its anomaly and notes."""
    details = stored_answer(frame, parsed)
    if parsed.anomaly is not None:
        details["finding"] = parsed.anomaly
    if parsed.notes:
        details["notes"] = list(parsed.notes)
    return details
