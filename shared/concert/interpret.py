"""The meaning of a terminal's answer for the payment that it was asked for."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from shared.concert import fields as f
from shared.concert.decode import Frame
from shared.concert.decoded_answer import (
    AMOUNT_NOT_ECHOED,
    PARTIAL_AMOUNT,
    RECEIPT_UNREADABLE,
    REFERENCE_CONFIRMED,
    Anomaly,
    AnswerCode,
    AnswerMeaning,
    ParsedAnswer,
    read_answer_code,
    without_foreign_data,
)
from shared.concert.echoes import Owner, amount_in, differing_echo, owner_of
from shared.concert.encode import OperationRequest, asks_partial
from shared.concert.mask import mask_card, mask_card_numbers
from shared.concert.profile import Profile
from shared.concert.receipt import clean_text, decode_receipt, encoded_receipt_in
from shared.payment.payment import Result

#: A busy terminal says so at once; a customer needs longer than this to refuse.
BUSY_WITHIN_SECONDS: Final = 2.0

#: The answer belongs, or may belong, to another payment: nothing of it is kept but fingerprints.
FOREIGN_ANOMALIES: Final = frozenset(
    {
        Anomaly.UNREADABLE,
        Anomaly.FIELD_REPEATED,
        Anomaly.OTHER_POS,
        Anomaly.OTHER_OPERATION,
        Anomaly.OTHER_CURRENCY,
        Anomaly.OTHER_REFERENCE,
        Anomaly.AMOUNT_DIFFERS,
    }
)
_DIFFERING: Final[dict[str, Anomaly]] = {
    f.POS_NUMBER: Anomaly.OTHER_POS,
    f.ACTION: Anomaly.OTHER_OPERATION,
    f.CURRENCY: Anomaly.OTHER_CURRENCY,
}


def interpret_frame(
    frame: Frame,
    sent: OperationRequest,
    profile: Profile,
    *,
    first_byte_after_seconds: float,
    busy_within_seconds: float = BUSY_WITHIN_SECONDS,
) -> ParsedAnswer:
    """Return the meaning of a complete answer. `first_byte_after_seconds` counts from the request's write."""
    if frame.error is not None or f.STATUS not in frame.fields:
        return ParsedAnswer(meaning=AnswerMeaning.IN_DOUBT, anomaly=Anomaly.UNREADABLE, is_foreign=True)
    parsed = parse_fields(frame, sent)
    anomaly = _contradiction(frame, sent, profile)
    if anomaly is not None:
        return _in_doubt(parsed, anomaly)
    answer_code = read_answer_code(frame.fields.get(f.ANSWER_CODE, ""))
    match frame.fields[f.STATUS].strip():
        case f.Status.DONE:
            return _read_done(frame, parsed, answer_code, sent, profile)
        case f.Status.NOT_DONE:
            return _read_not_done(parsed, answer_code, first_byte_after_seconds < busy_within_seconds)
        case f.Status.TAKEN_INTO_ACCOUNT:
            return _in_doubt(parsed, Anomaly.TAKEN_INTO_ACCOUNT)
        case _:
            return _in_doubt(parsed, Anomaly.STATUS_UNKNOWN)


def answers_identification(frame: Frame) -> bool:
    """Return whether a complete frame answers an identification (CD I) or an enquiry: any does, but busy."""
    status = frame.fields.get(f.STATUS, "").strip()
    if frame.error is not None or not status:
        return False
    answer_code = read_answer_code(frame.fields.get(f.ANSWER_CODE, ""))
    says_why = answer_code is not None and answer_code.code != f.UNKNOWN_CODE
    return status != f.Status.NOT_DONE or says_why


def _contradiction(frame: Frame, sent: OperationRequest, profile: Profile) -> Anomaly | None:
    """Return what keeps the answer from being one to our payment: it contradicts its request."""
    if frame.repeated:
        return Anomaly.FIELD_REPEATED
    differing = differing_echo(
        frame.fields,
        {
            f.POS_NUMBER: sent.pos_number,
            f.ACTION: f.ACTIONS[sent.operation],
            f.CURRENCY: sent.currency,
        },
    )
    if differing is not None:
        return _DIFFERING[differing]
    if owner_of(frame.fields.get(f.PRIVATE_DATA, ""), sent.reference) is Owner.ANOTHER_PAYMENT:
        return Anomaly.OTHER_REFERENCE
    return _differing_amount(frame, sent, profile)


def _differing_amount(frame: Frame, sent: OperationRequest, profile: Profile) -> Anomaly | None:
    answered = amount_in(frame.fields)
    if answered is None or answered == sent.amount_cents:
        return None
    is_done = frame.fields[f.STATUS].strip() == f.Status.DONE
    if is_done and 0 < answered < sent.amount_cents:
        return None if asks_partial(sent, profile) else Anomaly.AMOUNT_LOWER
    return Anomaly.AMOUNT_DIFFERS


def _read_done(
    frame: Frame,
    parsed: ParsedAnswer,
    answer_code: AnswerCode | None,
    sent: OperationRequest,
    profile: Profile,
) -> ParsedAnswer:
    if answer_code is not None and answer_code.code not in f.DONE_CODES | {f.UNKNOWN_CODE}:
        return _in_doubt(parsed, Anomaly.AF_CONTRADICTS)
    if not profile.bare_success and not _shows_a_card(frame, sent, profile):
        return _in_doubt(parsed, Anomaly.BARE_SUCCESS)
    answered = parsed.answered_amount_cents
    paid = sent.amount_cents if answered is None else answered
    return replace(
        parsed,
        meaning=AnswerMeaning.SUCCEEDED,
        anomaly=None,
        result=succeeded(parsed.result, paid, warnings=(PARTIAL_AMOUNT,) if paid < sent.amount_cents else ()),
        notes=parsed.notes if answered is not None else (*parsed.notes, AMOUNT_NOT_ECHOED),
    )


def succeeded(result: Result, paid_cents: int, *, warnings: tuple[str, ...] = ()) -> Result:
    """Return an answer's values as a success's: the amount is paid, and a code of a success is no error."""
    return replace(result, paid_cents=paid_cents, error_code=None, error_description=None, warnings=warnings)


def _read_not_done(parsed: ParsedAnswer, answer_code: AnswerCode | None, came_at_once: bool) -> ParsedAnswer:
    code = f.UNKNOWN_CODE if answer_code is None else answer_code.code
    if code in f.DONE_CODES:
        return _in_doubt(parsed, Anomaly.AF_CONTRADICTS)
    if code in f.ABORTED_CODES:
        return replace(parsed, meaning=AnswerMeaning.ABORTED, anomaly=None)
    if code == f.UNKNOWN_CODE and came_at_once:
        return replace(parsed, meaning=AnswerMeaning.BUSY, anomaly=None)
    return replace(parsed, meaning=AnswerMeaning.REFUSED, anomaly=None)


def _shows_a_card(frame: Frame, sent: OperationRequest, profile: Profile) -> bool:
    """Return whether a card was used: a terminal in immediate mode answers 'done' before any card."""
    fields = frame.fields
    signs = (f.AUTHORISATION_NUMBER, f.CARD_NUMBER, f.AID, f.READ_MODE, f.CHEQUE_TRACK)
    if any(fields.get(tag, "").strip() for tag in signs):
        return True
    if encoded_receipt_in(fields) is not None or _is_receipt_cut(frame):
        return True
    answered = fields.get(f.APPLICATION, "").strip()
    asked = sent.application if profile.sends_application else None
    if answered and answered != asked:
        return True
    # Where no card is read nothing can show one: a cheque would stay in doubt.
    return asked in f.WITHOUT_A_CARD


def _is_receipt_cut(frame: Frame) -> bool:
    return frame.cut is not None and frame.cut.tag in (f.RECEIPT, f.RECEIPT_TEXT)


def _in_doubt(parsed: ParsedAnswer, anomaly: Anomaly) -> ParsedAnswer:
    doubt = replace(parsed, meaning=AnswerMeaning.IN_DOUBT, anomaly=anomaly)
    return without_foreign_data(doubt) if anomaly in FOREIGN_ANOMALIES else doubt


def parse_fields(frame: Frame, sent: OperationRequest) -> ParsedAnswer:
    """Return the answer's fields as values, masked and not interpreted: in doubt, without an anomaly."""
    fields = frame.fields
    answer_code = read_answer_code(fields.get(f.ANSWER_CODE, ""))
    encoded = encoded_receipt_in(fields)
    receipt = None if encoded is None else decode_receipt(encoded)
    answered = amount_in(fields)
    notes = []
    if (encoded is not None and receipt is None) or _is_receipt_cut(frame):
        notes.append(RECEIPT_UNREADABLE)
    if owner_of(fields.get(f.PRIVATE_DATA, ""), sent.reference) is Owner.OURS:
        notes.append(REFERENCE_CONFIRMED)
    return ParsedAnswer(
        meaning=AnswerMeaning.IN_DOUBT,
        answered_amount_cents=None if answered is None or answered < 0 else answered,
        issuer_code=answer_code.issuer_code if answer_code else None,
        result=Result(
            error_code=(answer_code.code or None) if answer_code else None,
            error_description=(answer_code.description or None) if answer_code else None,
            authorisation_number=_text(fields, f.AUTHORISATION_NUMBER),
            masked_card=mask_card(clean_text(fields.get(f.CARD_NUMBER, ""))),
            application=_text(fields, f.APPLICATION),
            aid=_text(fields, f.AID),
            card_read_mode=_text(fields, f.READ_MODE),
            receipt=receipt,
        ),
        notes=tuple(notes),
    )


def _text(fields: Mapping[str, str], tag: str) -> str | None:
    return mask_card_numbers(clean_text(fields.get(tag, "")).strip()) or None
