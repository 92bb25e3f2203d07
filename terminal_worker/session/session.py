"""One payment on one terminal, top to bottom: identify where needed, connect, write once, read, judge.

Nothing is stored here: the caller stores the outcome. From the call of write on, everything that is not a
valid answer is doubt; before it, nothing was sent.
"""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Final

from shared.concert.allowed_fields import allowed_fields
from shared.concert.echoes import amount_in, known_echoes, learn_echoes
from shared.concert.mask import show_unreadable
from shared.payment.payment import Reason
from shared.payment.settlement import Settlement
from shared.payment.states import Event
from shared.runtime.clock import Clock
from shared.runtime.failpoints import Failpoint, no_failpoint
from shared.runtime.resilience import failures_logged, log_failure
from shared.settings.settings import Settings
from shared.storage.payments.claims import Claimed
from shared.storage.terminals.locks import ObservedCapabilities
from terminal_worker.session.answer_meaning import interpret_answer, not_interpreted
from terminal_worker.session.answer_reader import Answer, AnswerReader, Lost
from terminal_worker.session.connection import (
    Connect,
    ConnectFailed,
    Connection,
    UnexpectedBytes,
    close_keeping_result,
    write_request,
)
from terminal_worker.session.identification import Identified, Identifier
from terminal_worker.session.late_answers import LateAnswerListener
from terminal_worker.session.request_builder import PreparedRequest, prepare_request


@dataclass(frozen=True, slots=True)
class Ended:
    """How a session ended, what its line taught, and the connection that is still open, if any."""

    settlement: Settlement
    observed: ObservedCapabilities = field(default_factory=ObservedCapabilities)
    listener: LateAnswerListener | None = None


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
        failpoint: Failpoint = no_failpoint,
    ) -> None:
        self._connect: Final = connect
        self._identifier: Final = identifier
        self._clock: Final = clock
        self._settings: Final = settings
        self._failpoint: Final = failpoint

    async def hold(self, claimed: Claimed, started_at: float) -> Ended:
        """Hold the session. `started_at` is the boot-time from before the claim was sent: the write window
        counts from there. Never raises but for cancellation, after which the request may be on its way."""
        identify = claimed.grant.identify_first and claimed.grant.identifies is not False
        try:
            await self._failpoint("after_claim")
            prepared = prepare_request(claimed, self._settings)
            until = started_at + self._settings.write_window_seconds
            connection = await self._reach(claimed, prepared, until if identify else None)
        except ConnectFailed as error:
            return _not_connected(error)
        except _TooLate:
            return _not_sent(Reason.NOT_SENT, "the write window had passed")
        except _Unidentified:
            return _not_sent(Reason.BUSY, "no answer to the identification")
        except Exception as error:
            log_failure("session failed", error, is_written=False)
            return _not_sent(Reason.NOT_SENT, type(error).__name__)
        ended = await self._speak(connection, claimed, prepared, started_at)
        if not identify:
            return ended
        return Ended(ended.settlement, _identified(ended.observed), ended.listener)

    async def _reach(
        self, claimed: Claimed, prepared: PreparedRequest, identify_until: float | None
    ) -> Connection:
        """Connect; where the line is marked, have an identification answered first, on its own connection.

        It is written before `identify_until` (boot-time, the write window's end) or never.
        """
        terminal_address = claimed.grant.address
        if identify_until is None:
            return await self._connect(terminal_address)
        until: Final = identify_until

        async def write_until() -> float:
            return until

        try:
            async with asyncio.timeout(self._settings.connect_total_seconds):
                payment = claimed.payment
                identified = await self._identifier.ask(
                    terminal_address, payment.protocol, claimed.pos_number, prepared.profile, write_until
                )
                if identified is Identified.NOT_ASKED:
                    raise _TooLate
                if identified is not Identified.YES:
                    raise _Unidentified
                return await self._connect(terminal_address)
        except TimeoutError:
            raise _Unidentified from None

    async def _speak(
        self, connection: Connection, claimed: Claimed, prepared: PreparedRequest, started_at: float
    ) -> Ended:
        is_written = keeps_open = False
        try:
            await self._failpoint("after_connect")
            reader = AnswerReader(
                connection,
                self._clock,
                self._settings,
                sent=prepared.sent,
                known=known_echoes(json.loads(claimed.grant.echoes), prepared.sent),
                accepts_partial=prepared.profile.accepts_partial,
                failpoint=self._failpoint,
            )
            await self._failpoint("before_write")
            # Look at the clock and write: one step. An await between them could outlive the window.
            if self._clock.boot() - started_at >= self._settings.write_window_seconds:
                return _not_sent(Reason.NOT_SENT, "the write window had passed")
            is_written = True
            try:
                write_request(connection, prepared.data)
            except ConnectFailed as error:
                return _not_connected(error)
            written_at = self._clock.boot()
            answer = await self._answer(reader, written_at)
            ended = self._judge(answer, claimed, prepared, written_at)
            keeps_open = not reader.peer_closed and _may_be_mended(ended.settlement, answer)
            if not keeps_open:
                return ended
            ear = LateAnswerListener(connection, reader, prepared, written_at, answer, ended.settlement)
            return Ended(ended.settlement, ended.observed, ear)
        except Exception as error:
            log_failure("session failed", error, is_written=is_written)
            if not is_written:
                return _not_sent(Reason.NOT_SENT, type(error).__name__)
            return Ended(_doubt(Reason.UNREADABLE, {"error": type(error).__name__}))
        finally:
            if not keeps_open:
                with failures_logged("connection not closed"):
                    await close_keeping_result(connection)

    async def _answer(self, reader: AnswerReader, written_at: float) -> Answer | Lost:
        """Read the answer. An error of ours is none, and the connection is listened to for what still comes;
        an answer that is there counts whatever fails after it."""
        answer: Answer | Lost | None = None
        try:
            await self._failpoint("after_write")
            answer = await reader.read(written_at, written_at + self._settings.answer_timeout_seconds)
            await self._failpoint("after_answer")
        except Exception as error:
            log_failure("step after the write failed", error)
            return answer or Lost(Reason.UNREADABLE, type(error).__name__)
        return answer

    def _judge(
        self, answer: Answer | Lost, claimed: Claimed, prepared: PreparedRequest, written_at: float
    ) -> Ended:
        detail: dict[str, object] = {
            "sent": allowed_fields(prepared.sent),
            "answer_ms": round((self._clock.boot() - written_at) * 1000),
        }
        if isinstance(answer, Lost):
            return Ended(_doubt(answer.reason, {**detail, "lost": answer.detail, **answer.unread}))
        try:
            settlement = interpret_answer(answer, prepared, self._settings, detail)
        except Exception as error:
            log_failure("answer not judged", error)
            return Ended(_doubt(Reason.UNREADABLE, {**detail, **not_interpreted(answer, error)}))
        observed = ObservedCapabilities()
        with failures_logged("echoes not learned"):
            remembered = learn_echoes(json.loads(claimed.grant.echoes), answer.frame.fields)
            observed = ObservedCapabilities(echoes=json.dumps(remembered))
        return Ended(settlement, observed)


def _may_be_mended(settlement: Settlement, answer: Answer | Lost) -> bool:
    """Tell whether what still comes on the connection can say more.

    A real answer after a silence or after one that was none; after a success without an amount the amount,
    which may be another one. Any other answer is final by the protocol.
    """
    if settlement.event is Event.ANSWERED_DONE:
        return isinstance(answer, Answer) and amount_in(answer.frame.fields) is None
    return settlement.event is Event.OUTCOME_LOST


def _identified(observed: ObservedCapabilities) -> ObservedCapabilities:
    return ObservedCapabilities(echoes=observed.echoes, identifies=True, identify_first=False)


def _not_connected(error: ConnectFailed) -> Ended:
    if isinstance(error, UnexpectedBytes):
        return _not_sent(Reason.UNEXPECTED_BYTES, str(error), received=show_unreadable(error.received))
    return _not_sent(Reason.NO_CONNECTION, str(error))


def _not_sent(reason: Reason, detail: str, **more: object) -> Ended:
    return Ended(Settlement(event=Event.NOT_SENT, reason=reason, detail={"error": detail, **more}))


def _doubt(reason: Reason, detail: dict[str, object]) -> Settlement:
    return Settlement(event=Event.OUTCOME_LOST, reason=reason, detail=detail)
