"""The meaning of an answer, in the payment's words."""

from typing import Final

from shared.concert.allowed_fields import allowed_fields, fingerprint
from shared.concert.decode import Frame
from shared.concert.decoded_answer import AnswerMeaning, ParsedAnswer
from shared.concert.interpret import interpret_frame
from shared.payment.settlement import Settlement
from shared.payment.states import Event
from shared.settings.settings import Settings
from terminal_worker.session.answer_reader import Answer
from terminal_worker.session.request_builder import PreparedRequest

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
    """Return what a complete answer means for the payment; `detail` goes into the history beside it."""
    reading = interpret_frame(
        answer.frame,
        prepared.request,
        prepared.profile,
        first_byte_after_seconds=answer.first_byte_after_seconds,
        busy_within_seconds=settings.busy_answer_seconds,
    )
    if answer.broken:
        detail = {**detail, "broken": list(answer.broken)}
    return Settlement(
        event=_EVENTS[reading.meaning],
        reason=reading.reason,
        result=reading.result,
        detail={**detail, **_noticed(answer.frame, reading)},
    )


def not_interpreted(answer: Answer, error: Exception) -> dict[str, object]:
    """Return what is kept for a person of a complete answer that our code stumbled over."""
    return {"error": type(error).__name__, "fields": allowed_fields(answer.frame.fields)}


def kept_of(frame: Frame, reading: ParsedAnswer) -> dict[str, object]:
    """Return what of an answer goes into history and evidence: its harmless fields; fingerprints alone of
    what may be another merchant's."""
    if not reading.is_foreign:
        return {"answer": allowed_fields(frame.fields)}
    kept: dict[str, object] = {"fingerprint": fingerprint(frame.fields)}
    if reading.receipt_fingerprint is not None:
        kept["receipt_fingerprint"] = reading.receipt_fingerprint
    return kept


def _noticed(frame: Frame, reading: ParsedAnswer) -> dict[str, object]:
    """Return what goes into the history beside the result: the answer, and what was noticed."""
    noticed = kept_of(frame, reading)
    if reading.anomaly is not None:
        noticed["finding"] = reading.anomaly
    if reading.notes:
        noticed["notes"] = list(reading.notes)
    return noticed
