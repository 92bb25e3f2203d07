"""One payment on one terminal, top to bottom: identify where needed, connect, write once, read, judge.

Nothing is stored here: the caller stores the outcome. From the call of write on, everything that is not a
valid answer is doubt; before it, nothing was sent.
"""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Final

import structlog

from shared.checkpoints import Checkpoint, no_checkpoint
from shared.clock import Clock
from shared.concert.decode import Frame
from shared.concert.echoes import known_echoes, learn_echoes
from shared.concert.mask import mask_fields
from shared.concert.outcome import Outcome as Said
from shared.concert.outcome import Reading
from shared.concert.reading import read_answer
from shared.concert.unread import show_unread
from shared.payment.outcome import Outcome, Result
from shared.payment.payment import Reason
from shared.payment.states import Event
from shared.settings.settings import Settings
from shared.storage.claims import Claimed
from shared.storage.lines import Learned
from terminal_worker.answer import Answer, AnswerReader, Lost
from terminal_worker.connection import (
    Connect,
    ConnectFailed,
    Connection,
    UnexpectedBytes,
    write_request,
)
from terminal_worker.identification import Identified, Identifier
from terminal_worker.speaking import Speech, speech_of

_log = structlog.get_logger()

_EVENTS: Final = {
    Said.SUCCEEDED: Event.ANSWERED_DONE,
    Said.REFUSED: Event.ANSWERED_REFUSED,
    Said.ABORTED: Event.ANSWERED_ABORTED,
    Said.BUSY: Event.ANSWERED_BUSY,
    Said.IN_DOUBT: Event.OUTCOME_LOST,
}


@dataclass(frozen=True, slots=True)
class OpenEar:
    """A connection on which a late answer may still come, after an answer time-out."""

    connection: Connection
    reader: AnswerReader
    speech: Speech
    written_at: float


@dataclass(frozen=True, slots=True)
class Ended:
    """How a session ended, what its line taught, and the connection that is still open, if any."""

    outcome: Outcome
    learned: Learned = field(default_factory=Learned)
    open_ear: OpenEar | None = None


class _TooLate(Exception):
    """The write window had passed before the identification."""


class _Unidentified(Exception):
    """The terminal did not answer the identification: it may still show an earlier amount."""


class TerminalSessions:
    """Runs sessions: the claim is committed, the terminal is ours."""

    def __init__(
        self,
        connect: Connect,
        identifier: Identifier,
        clock: Clock,
        settings: Settings,
        checkpoint: Checkpoint = no_checkpoint,
    ) -> None:
        self._connect: Final = connect
        self._identifier: Final = identifier
        self._clock: Final = clock
        self._settings: Final = settings
        self._checkpoint: Final = checkpoint

    async def hold(self, claimed: Claimed, started_at: float) -> Ended:
        """Hold the session. `started_at` is the boot-time from before the claim was sent: the write window
        counts from there. Never raises but for cancellation, after which the request may be on its way."""
        identify = claimed.taking.identify_first and claimed.taking.identifies is not False
        try:
            speech = speech_of(claimed, self._settings)
            until = started_at + self._settings.write_window_seconds
            connection = await self._reach(claimed, speech, until if identify else None)
            await self._checkpoint("after_connect")
        except ConnectFailed as error:
            return _not_connected(error)
        except _TooLate:
            return _not_sent(Reason.NOT_SENT, "the write window had passed")
        except _Unidentified:
            return _not_sent(Reason.BUSY, "no answer to the identification")
        except Exception as error:
            _log.exception("session failed before its write")
            return _not_sent(Reason.NOT_SENT, repr(error))
        ended = await self._speak(connection, claimed, speech, started_at)
        if not identify:
            return ended
        return Ended(ended.outcome, _identified(ended.learned), ended.open_ear)

    async def _reach(self, claimed: Claimed, speech: Speech, identify_until: float | None) -> Connection:
        """Connect; where the line is marked, have an identification answered first, on its own connection.

        It is written before `identify_until` (boot-time, the write window's end) or never.
        """
        line = claimed.taking.address
        if identify_until is None:
            return await self._connect(line)
        until: Final = identify_until

        async def write_until() -> float:
            return until

        try:
            async with asyncio.timeout(self._settings.connect_total_seconds):
                payment = claimed.payment
                identified = await self._identifier.ask(
                    line, payment.protocol, claimed.register_number, speech.profile, write_until
                )
                if identified is Identified.NOT_ASKED:
                    raise _TooLate
                if identified is not Identified.YES:
                    raise _Unidentified
                return await self._connect(line)
        except TimeoutError:
            raise _Unidentified from None

    async def _speak(
        self, connection: Connection, claimed: Claimed, speech: Speech, started_at: float
    ) -> Ended:
        keeps_open = False
        try:
            await self._checkpoint("before_write")
            # Look at the clock and write: one step. An await between them could outlive the window.
            if self._clock.boot() - started_at >= self._settings.write_window_seconds:
                return _not_sent(Reason.NOT_SENT, "the write window had passed")
            try:
                write_request(connection, speech.data)
            except ConnectFailed as error:
                return _not_connected(error)
            written_at = self._clock.boot()
            await self._checkpoint("after_write")
            reader = AnswerReader(
                connection,
                self._clock,
                self._settings,
                sent=speech.sent,
                known=known_echoes(json.loads(claimed.taking.echoes), speech.sent),
                accepts_partial=speech.profile.accepts_partial,
                checkpoint=self._checkpoint,
            )
            answer = await reader.read(written_at, written_at + self._settings.answer_timeout_seconds)
            await self._checkpoint("after_answer")
            ended = self._judge(answer, claimed, speech, written_at)
            if ended.outcome.reason != Reason.ANSWER_TIMEOUT:
                return ended
            keeps_open = True
            return Ended(ended.outcome, ended.learned, OpenEar(connection, reader, speech, written_at))
        except Exception as error:
            _log.exception("session failed after its write")
            return Ended(_doubt(Reason.UNREADABLE, {"error": repr(error)}))
        finally:
            if not keeps_open:
                await connection.close()

    def _judge(self, answer: Answer | Lost, claimed: Claimed, speech: Speech, written_at: float) -> Ended:
        detail: dict[str, object] = {
            "sent": mask_fields(speech.sent),
            "answer_ms": round((self._clock.boot() - written_at) * 1000),
        }
        if isinstance(answer, Lost):
            return Ended(_doubt(answer.reason, {**detail, "lost": answer.detail}))
        outcome = judge_answer(answer, speech, self._settings, detail)
        remembered = learn_echoes(json.loads(claimed.taking.echoes), answer.frame.fields)
        return Ended(outcome, Learned(echoes=json.dumps(remembered)))


def judge_answer(answer: Answer, speech: Speech, settings: Settings, detail: dict[str, object]) -> Outcome:
    """Return what a complete answer means for the payment; `detail` goes into the history beside it."""
    reading = read_answer(
        answer.frame,
        speech.request,
        speech.profile,
        first_byte_after_seconds=answer.first_byte_after_seconds,
        busy_within_seconds=settings.busy_answer_seconds,
    )
    return Outcome(
        event=_EVENTS[reading.outcome],
        reason=reading.reason,
        result=result_of(reading),
        detail={**detail, **_noticed(answer.frame, reading)},
    )


def result_of(reading: Reading) -> Result:
    """Return what is stored of a reading; it is masked already."""
    return Result(
        paid_cents=reading.paid_amount_cents,
        error_code=reading.error_code,
        error_description=reading.error_description,
        authorisation_number=reading.authorisation_number,
        masked_card=reading.masked_card,
        application=reading.application,
        aid=reading.aid,
        card_read_mode=reading.card_read_mode,
        receipt=reading.receipt,
        warnings=reading.warnings,
    )


def _noticed(frame: Frame, reading: Reading) -> dict[str, object]:
    """What goes into the history beside the result: the answer's fields, masked, and what was noticed."""
    noticed: dict[str, object] = {"answer": mask_fields(frame.fields)}
    if reading.finding is not None:
        noticed["finding"] = reading.finding
    if reading.notes:
        noticed["notes"] = list(reading.notes)
    return noticed


def _identified(learned: Learned) -> Learned:
    return Learned(echoes=learned.echoes, identifies=True, identify_first=False)


def _not_connected(error: ConnectFailed) -> Ended:
    if isinstance(error, UnexpectedBytes):
        return _not_sent(Reason.UNEXPECTED_BYTES, str(error), received=show_unread(error.received))
    return _not_sent(Reason.NO_CONNECTION, str(error))


def _not_sent(reason: Reason, detail: str, **more: object) -> Ended:
    return Ended(Outcome(event=Event.NOT_SENT, reason=reason, detail={"error": detail, **more}))


def _doubt(reason: Reason, detail: dict[str, object]) -> Outcome:
    return Outcome(event=Event.OUTCOME_LOST, reason=reason, detail=detail)
