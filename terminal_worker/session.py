"""One payment on one terminal, top to bottom: connect, write once, read, say what it means.

Nothing is stored here: the caller stores the outcome. From the call of write on, everything that is not a
valid answer is doubt; before it, nothing was sent.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

import structlog

from shared.clock import Clock
from shared.concert.decode import Frame
from shared.concert.echoes import learn_echoes
from shared.concert.encode import OperationRequest, encode_operation, operation_fields, sole_application
from shared.concert.mask import mask_fields
from shared.concert.outcome import Outcome as Said
from shared.concert.outcome import Reading
from shared.concert.profile import Profile
from shared.concert.reading import read_answer
from shared.payment.outcome import Outcome, Result
from shared.payment.payment import Reason
from shared.payment.states import Event
from shared.settings.settings import Settings
from shared.storage.claims import Claimed
from terminal_worker.answer import Answer, AnswerReader, Lost
from terminal_worker.connection import Connect, ConnectFailed

_log = structlog.get_logger()

_EVENTS: Final = {
    Said.SUCCEEDED: Event.ANSWERED_DONE,
    Said.REFUSED: Event.ANSWERED_REFUSED,
    Said.ABORTED: Event.ANSWERED_ABORTED,
    Said.BUSY: Event.ANSWERED_BUSY,
    Said.IN_DOUBT: Event.OUTCOME_LOST,
}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a session ended, and what its line has echoed (JSON) where there was a complete answer."""

    outcome: Outcome
    echoes: str | None = None


@dataclass(frozen=True, slots=True)
class _Prepared:
    request: OperationRequest
    profile: Profile
    data: bytes
    sent: dict[str, str]


class TerminalSessions:
    """Runs sessions: the claim is committed, the terminal is ours."""

    def __init__(self, connect: Connect, clock: Clock, settings: Settings) -> None:
        self._connect: Final = connect
        self._clock: Final = clock
        self._settings: Final = settings

    async def hold(self, claimed: Claimed, started_at: float) -> Ended:
        """Hold the session. `started_at` is the boot-time from before the claim was sent: the write window
        counts from there. Never raises but for cancellation, after which the request may be on its way."""
        try:
            prepared = self._prepare(claimed)
            connection = await self._connect(claimed.taking.address)
        except ConnectFailed as error:
            return _not_sent(Reason.NO_CONNECTION, str(error))
        except Exception as error:
            _log.exception("session failed before its write")
            return _not_sent(Reason.NOT_SENT, repr(error))
        try:
            # Look at the clock and write: one step. An await between them could outlive the window.
            if self._clock.boot() - started_at >= self._settings.write_window_seconds:
                return _not_sent(Reason.NOT_SENT, "the write window had passed")
            connection.write(prepared.data)
            written_at = self._clock.boot()
            reader = AnswerReader(
                connection,
                self._clock,
                self._settings,
                sent=prepared.sent,
                echoes=claimed.taking.echoes,
                accepts_partial=prepared.profile.accepts_partial,
            )
            return self._read(await reader.read(written_at), prepared, claimed, written_at)
        except Exception as error:
            _log.exception("session failed after its write")
            return Ended(_doubt(Reason.UNREADABLE, {"error": repr(error)}))
        finally:
            await connection.close()

    def _prepare(self, claimed: Claimed) -> _Prepared:
        payment = claimed.payment
        profile = Profile.from_dict(json.loads(claimed.profile))
        order: dict[str, Any] = json.loads(payment.request)
        customer = order.get("customer", {})
        display = order["pos_technical_info"]["terminal_transaction_display"]
        application, contract = sole_application(display["contract_array"])
        request = OperationRequest(
            operation=payment.operation,
            protocol=payment.protocol,
            amount_cents=payment.amount_cents,
            software_id=self._settings.software_id,
            reference=payment.id,
            register_number=claimed.register_number,
            force_authorization=payment.force_authorization,
            application=application,
            contract=contract,
            phone=customer.get("phone"),
            email=customer.get("email"),
        )
        return _Prepared(
            request, profile, encode_operation(request, profile), dict(operation_fields(request, profile))
        )

    def _read(self, answer: Answer | Lost, prepared: _Prepared, claimed: Claimed, written_at: float) -> Ended:
        spent_ms = round((self._clock.boot() - written_at) * 1000)
        detail: dict[str, object] = {"sent": mask_fields(prepared.sent), "answer_ms": spent_ms}
        if isinstance(answer, Lost):
            return Ended(_doubt(answer.reason, {**detail, "lost": answer.detail}))
        reading = read_answer(
            answer.frame,
            prepared.request,
            prepared.profile,
            first_byte_after_seconds=answer.first_byte_after_seconds,
            busy_within_seconds=self._settings.busy_answer_seconds,
        )
        detail |= _noticed(answer.frame, reading)
        remembered = learn_echoes(json.loads(claimed.taking.echoes), answer.frame.fields)
        outcome = Outcome(
            event=_EVENTS[reading.outcome], reason=reading.reason, result=_result(reading), detail=detail
        )
        return Ended(outcome, json.dumps(remembered))


def _result(reading: Reading) -> Result:
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


def _not_sent(reason: Reason, detail: str) -> Ended:
    return Ended(Outcome(event=Event.NOT_SENT, reason=reason, detail={"error": detail}))


def _doubt(reason: Reason, detail: dict[str, object]) -> Outcome:
    return Outcome(event=Event.OUTCOME_LOST, reason=reason, detail=detail)
