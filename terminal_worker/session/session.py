"""The session of one payment on one terminal: identify where needed, connect, write once, read, interpret.

The caller stores the result. From the call of write on, everything that is not a valid answer is doubt;
before it, nothing was sent.
"""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Final

from shared.concert.echoes import amount_in, known_echoes, learn_echoes
from shared.concert.mask import allowed_fields, show_unreadable
from shared.payment.payment import Reason, Settlement
from shared.payment.states import Event
from shared.runtime.clock import Clock
from shared.runtime.resilience import Failpoint, failures_logged, log_failure, no_failpoint
from shared.settings.settings import Settings
from shared.storage.payments.claims import Claimed
from shared.storage.terminals.locks import ObservedCapabilities
from terminal_worker.session.answer_reader import (
    Answer,
    AnswerReader,
    NoAnswer,
    interpret_answer,
    not_interpreted,
)
from terminal_worker.session.connection import (
    Connect,
    ConnectFailed,
    Connection,
    UnexpectedBytes,
    close_keeping_result,
    write_request,
)
from terminal_worker.session.enquiry import IdentificationResult, Identifier
from terminal_worker.session.late_answers import LateAnswerListener
from terminal_worker.session.request_builder import PreparedRequest, prepare_request


@dataclass(frozen=True, slots=True)
class SessionResult:
    """A session's settlement, the observed capabilities, and the connection that is still open, if any."""

    settlement: Settlement
    observed: ObservedCapabilities = field(default_factory=ObservedCapabilities)
    listener: LateAnswerListener | None = None


class _WriteWindowPassed(Exception):
    """Raised where the write window had passed before the identification."""


class _Unidentified(Exception):
    """Raised where the identification got no answer: the terminal may still show an earlier amount."""


class TerminalSessions:
    """Runs the sessions of claimed payments."""

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

    async def hold(self, claimed: Claimed, started_at: float) -> SessionResult:
        """Run the session; its write window counts from `started_at`, boot-time before the claim was sent.

        Raises nothing but CancelledError, after which the request may be on its way.
        """
        identify = claimed.grant.identify_first and claimed.grant.identifies is not False
        try:
            await self._failpoint("after_claim")
            prepared = prepare_request(claimed, self._settings)
            until = started_at + self._settings.write_window_seconds
            connection = await self._connect_identified(claimed, prepared, until if identify else None)
        except ConnectFailed as error:
            return _not_connected(error)
        except _WriteWindowPassed:
            return _not_sent(Reason.NOT_SENT, "the write window had passed")
        except _Unidentified:
            return _not_sent(Reason.BUSY, "no answer to the identification")
        except Exception as error:
            log_failure("session failed", error, is_written=False)
            return _not_sent(Reason.NOT_SENT, type(error).__name__)
        ended = await self._exchange(connection, claimed, prepared, started_at)
        if not identify:
            return ended
        return SessionResult(ended.settlement, _identified(ended.observed), ended.listener)

    async def _connect_identified(
        self, claimed: Claimed, prepared: PreparedRequest, identify_until: float | None
    ) -> Connection:
        """Connect; with `identify_until` an identification is answered first, on its own connection.

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
                if identified is IdentificationResult.NOT_ASKED:
                    raise _WriteWindowPassed
                if identified is not IdentificationResult.YES:
                    raise _Unidentified
                return await self._connect(terminal_address)
        except TimeoutError:
            raise _Unidentified from None

    async def _exchange(
        self, connection: Connection, claimed: Claimed, prepared: PreparedRequest, started_at: float
    ) -> SessionResult:
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
            # Check of the clock and write are one step: an await between them could outlive the window.
            if self._clock.boot() - started_at >= self._settings.write_window_seconds:
                return _not_sent(Reason.NOT_SENT, "the write window had passed")
            is_written = True
            try:
                write_request(connection, prepared.data)
            except ConnectFailed as error:
                return _not_connected(error)
            written_at = self._clock.boot()
            answer = await self._answer(reader, written_at)
            ended = self._interpret(answer, claimed, prepared, written_at)
            keeps_open = not reader.peer_closed and _may_be_completed(ended.settlement, answer)
            if not keeps_open:
                return ended
            listener = LateAnswerListener(connection, reader, prepared, written_at, answer, ended.settlement)
            return SessionResult(ended.settlement, ended.observed, listener)
        except Exception as error:
            log_failure("session failed", error, is_written=is_written)
            if not is_written:
                return _not_sent(Reason.NOT_SENT, type(error).__name__)
            return SessionResult(_doubt(Reason.UNREADABLE, {"error": type(error).__name__}))
        finally:
            if not keeps_open:
                with failures_logged("connection not closed"):
                    await close_keeping_result(connection)

    async def _answer(self, reader: AnswerReader, written_at: float) -> Answer | NoAnswer:
        """Read the answer; an answer that is there counts whatever fails after it.

        After an error of our code the connection is listened to for a late answer.
        """
        answer: Answer | NoAnswer | None = None
        try:
            await self._failpoint("after_write")
            answer = await reader.read(written_at, written_at + self._settings.answer_timeout_seconds)
            await self._failpoint("after_answer")
        except Exception as error:
            log_failure("step after the write failed", error)
            return answer or NoAnswer(Reason.UNREADABLE, type(error).__name__)
        return answer

    def _interpret(
        self, answer: Answer | NoAnswer, claimed: Claimed, prepared: PreparedRequest, written_at: float
    ) -> SessionResult:
        detail: dict[str, object] = {
            "sent": allowed_fields(prepared.sent),
            "answer_ms": round((self._clock.boot() - written_at) * 1000),
        }
        if isinstance(answer, NoAnswer):
            return SessionResult(
                _doubt(answer.reason, {**detail, "lost": answer.detail, **answer.unreadable})
            )
        try:
            settlement = interpret_answer(answer, prepared, self._settings, detail)
        except Exception as error:
            log_failure("answer not interpreted", error)
            return SessionResult(_doubt(Reason.UNREADABLE, {**detail, **not_interpreted(answer, error)}))
        observed = ObservedCapabilities()
        with failures_logged("echoes not remembered"):
            remembered = learn_echoes(json.loads(claimed.grant.echoes), answer.frame.fields)
            observed = ObservedCapabilities(echoes=json.dumps(remembered))
        return SessionResult(settlement, observed)


def _may_be_completed(settlement: Settlement, answer: Answer | NoAnswer) -> bool:
    """Return whether later bytes on the connection can add to this settlement.

    A real answer may follow a silence or unreadable bytes, and the amount a success without one. Any other
    answer is final by the protocol.
    """
    if settlement.event is Event.ANSWERED_DONE:
        return isinstance(answer, Answer) and amount_in(answer.frame.fields) is None
    return settlement.event is Event.OUTCOME_LOST


def _identified(observed: ObservedCapabilities) -> ObservedCapabilities:
    return ObservedCapabilities(echoes=observed.echoes, identifies=True, identify_first=False)


def _not_connected(error: ConnectFailed) -> SessionResult:
    if isinstance(error, UnexpectedBytes):
        return _not_sent(Reason.UNEXPECTED_BYTES, str(error), received=show_unreadable(error.received))
    return _not_sent(Reason.NO_CONNECTION, str(error))


def _not_sent(reason: Reason, detail: str, **more: object) -> SessionResult:
    return SessionResult(Settlement(event=Event.NOT_SENT, reason=reason, detail={"error": detail, **more}))


def _doubt(reason: Reason, detail: dict[str, object]) -> Settlement:
    return Settlement(event=Event.OUTCOME_LOST, reason=reason, detail=detail)
