"""What a terminal's answer means for the payment it was sent for."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from shared.concert import fields as f
from shared.concert.answer_code import AnswerCode, read_answer_code
from shared.concert.decode import Frame
from shared.concert.decoded_answer import (
    AMOUNT_NOT_ECHOED,
    PARTIAL_AMOUNT,
    RECEIPT_UNREADABLE,
    REFERENCE_CONFIRMED,
    Anomaly,
    AnswerMeaning,
    Reading,
    without_foreign_data,
)
from shared.concert.echoes import amount_in, differing_echo
from shared.concert.encode import OperationRequest, asks_partial
from shared.concert.mask import mask_card, mask_card_numbers
from shared.concert.profile import Profile
from shared.concert.receipt import clean_text, decode_ticket, ticket_in
from shared.concert.reference import Owner, owner_of

#: A terminal that shows another amount says so at once; a person needs longer than this to refuse.
BUSY_WITHIN_SECONDS: Final = 2.0

#: The answer belongs, or may belong, to somebody else: nothing of it is kept.
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


def read_answer(
    frame: Frame,
    sent: OperationRequest,
    profile: Profile,
    *,
    first_byte_after_seconds: float,
    busy_within_seconds: float = BUSY_WITHIN_SECONDS,
) -> Reading:
    """Return what a complete answer means. `first_byte_after_seconds` counts from the request's write."""
    if frame.error is not None or f.STATUS not in frame.fields:
        return Reading(outcome=AnswerMeaning.IN_DOUBT, anomaly=Anomaly.UNREADABLE, is_foreign=True)
    said = what_it_says(frame, sent)
    anomaly = _contradiction(frame, sent, profile)
    if anomaly is not None:
        return _in_doubt(said, anomaly)
    answer_code = read_answer_code(frame.fields.get(f.ANSWER_CODE, ""))
    match frame.fields[f.STATUS].strip():
        case f.Status.DONE:
            return _read_done(frame, said, answer_code, sent, profile)
        case f.Status.NOT_DONE:
            return _read_not_done(said, answer_code, first_byte_after_seconds < busy_within_seconds)
        case f.Status.TAKEN_INTO_ACCOUNT:
            return _in_doubt(said, Anomaly.TAKEN_INTO_ACCOUNT)
        case _:
            return _in_doubt(said, Anomaly.STATUS_UNKNOWN)


def answers_identification(frame: Frame) -> bool:
    """Tell whether a complete frame answers an identification (CD I) or an enquiry: any does, but busy."""
    status = frame.fields.get(f.STATUS, "").strip()
    if frame.error is not None or not status:
        return False
    answer_code = read_answer_code(frame.fields.get(f.ANSWER_CODE, ""))
    says_why = answer_code is not None and answer_code.code != f.UNKNOWN_CODE
    return status != f.Status.NOT_DONE or says_why


def _contradiction(frame: Frame, sent: OperationRequest, profile: Profile) -> Anomaly | None:
    """An answer that contradicts its request is not an answer to our payment."""
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
    frame: Frame, said: Reading, answer_code: AnswerCode | None, sent: OperationRequest, profile: Profile
) -> Reading:
    if answer_code is not None and answer_code.code not in f.DONE_CODES | {f.UNKNOWN_CODE}:
        return _in_doubt(said, Anomaly.AF_CONTRADICTS)
    if not profile.bare_success and not _shows_a_card(frame, sent, profile):
        return _in_doubt(said, Anomaly.BARE_SUCCESS)
    answered = said.answered_amount_cents
    paid = sent.amount_cents if answered is None else answered
    return replace(
        said,
        outcome=AnswerMeaning.SUCCEEDED,
        anomaly=None,
        paid_amount_cents=paid,
        # A code of a success is no error.
        error_code=None,
        error_description=None,
        warnings=(PARTIAL_AMOUNT,) if paid < sent.amount_cents else (),
        notes=said.notes if answered is not None else (*said.notes, AMOUNT_NOT_ECHOED),
    )


def _read_not_done(said: Reading, answer_code: AnswerCode | None, came_at_once: bool) -> Reading:
    code = f.UNKNOWN_CODE if answer_code is None else answer_code.code
    if code in f.DONE_CODES:
        return _in_doubt(said, Anomaly.AF_CONTRADICTS)
    if code in f.ABORTED_CODES:
        return replace(said, outcome=AnswerMeaning.ABORTED, anomaly=None)
    if code == f.UNKNOWN_CODE and came_at_once:
        return replace(said, outcome=AnswerMeaning.BUSY, anomaly=None)
    return replace(said, outcome=AnswerMeaning.REFUSED, anomaly=None)


def _shows_a_card(frame: Frame, sent: OperationRequest, profile: Profile) -> bool:
    """A terminal in immediate mode says 'done' for 'request taken', before any card."""
    fields = frame.fields
    signs = (f.AUTHORISATION_NUMBER, f.CARD_NUMBER, f.AID, f.READ_MODE, f.CHEQUE_TRACK)
    if any(fields.get(tag, "").strip() for tag in signs):
        return True
    if ticket_in(fields) is not None or _is_ticket_cut(frame):
        return True
    answered = fields.get(f.APPLICATION, "").strip()
    asked = sent.application if profile.sends_application else None
    if answered and answered != asked:
        return True
    # Where no card is read nothing can show one: a cheque would be in doubt for ever.
    return asked in f.WITHOUT_A_CARD


def _is_ticket_cut(frame: Frame) -> bool:
    return frame.cut is not None and frame.cut.tag in (f.TICKET, f.TICKET_DATA)


def _in_doubt(said: Reading, anomaly: Anomaly) -> Reading:
    doubt = replace(said, outcome=AnswerMeaning.IN_DOUBT, anomaly=anomaly)
    return without_foreign_data(doubt) if anomaly in FOREIGN_ANOMALIES else doubt


def what_it_says(frame: Frame, sent: OperationRequest) -> Reading:
    """Return the answer's fields as values, masked and not judged: in doubt, without a finding."""
    fields = frame.fields
    answer_code = read_answer_code(fields.get(f.ANSWER_CODE, ""))
    ticket = ticket_in(fields)
    receipt = None if ticket is None else decode_ticket(ticket)
    answered = amount_in(fields)
    notes = []
    if (ticket is not None and receipt is None) or _is_ticket_cut(frame):
        notes.append(RECEIPT_UNREADABLE)
    if owner_of(fields.get(f.PRIVATE_DATA, ""), sent.reference) is Owner.OURS:
        notes.append(REFERENCE_CONFIRMED)
    application = _text(fields, f.APPLICATION)
    return Reading(
        outcome=AnswerMeaning.IN_DOUBT,
        answered_amount_cents=None if answered is None or answered < 0 else answered,
        error_code=(answer_code.code or None) if answer_code else None,
        error_description=(answer_code.description or None) if answer_code else None,
        issuer_code=answer_code.issuer_code if answer_code else None,
        authorisation_number=_text(fields, f.AUTHORISATION_NUMBER),
        masked_card=mask_card(clean_text(fields.get(f.CARD_NUMBER, ""))),
        application=application,
        application_name=f.APPLICATIONS.get(application or ""),
        aid=_text(fields, f.AID),
        card_read_mode=_text(fields, f.READ_MODE),
        contract=_text(fields, f.CONTRACT),
        receipt=receipt,
        notes=tuple(notes),
    )


def _text(fields: Mapping[str, str], tag: str) -> str | None:
    return mask_card_numbers(clean_text(fields.get(tag, "")).strip()) or None
