"""The settlement that an answer leads to, and the details that history keeps of it."""

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
