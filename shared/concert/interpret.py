"""What a terminal's answer means for the payment it was sent for."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from shared.concert import fields as f
from shared.concert.answer_code import Complement, read_complement
from shared.concert.decode import Frame
from shared.concert.decoded_answer import (
    AMOUNT_NOT_ECHOED,
    PARTIAL_AMOUNT,
    RECEIPT_UNREADABLE,
    REFERENCE_CONFIRMED,
    Finding,
    Outcome,
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
FOREIGN_FINDINGS: Final = frozenset(
    {
        Finding.UNREADABLE,
        Finding.FIELD_REPEATED,
        Finding.OTHER_REGISTER,
        Finding.OTHER_OPERATION,
        Finding.OTHER_CURRENCY,
        Finding.OTHER_REFERENCE,
        Finding.AMOUNT_DIFFERS,
    }
)
_DIFFERING: Final[dict[str, Finding]] = {
    f.REGISTER_NUMBER: Finding.OTHER_REGISTER,
    f.ACTION: Finding.OTHER_OPERATION,
    f.CURRENCY: Finding.OTHER_CURRENCY,
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
        return Reading(outcome=Outcome.IN_DOUBT, finding=Finding.UNREADABLE, is_foreign=True)
    said = what_it_says(frame, sent)
    finding = _contradiction(frame, sent, profile)
    if finding is not None:
        return _in_doubt(said, finding)
    complement = read_complement(frame.fields.get(f.COMPLEMENT, ""))
    match frame.fields[f.STATUS].strip():
        case f.Status.DONE:
            return _read_done(frame, said, complement, sent, profile)
        case f.Status.NOT_DONE:
            return _read_not_done(said, complement, first_byte_after_seconds < busy_within_seconds)
        case f.Status.TAKEN_INTO_ACCOUNT:
            return _in_doubt(said, Finding.TAKEN_INTO_ACCOUNT)
        case _:
            return _in_doubt(said, Finding.STATUS_UNKNOWN)


def answers_identification(frame: Frame) -> bool:
    """Tell whether a complete frame answers an identification (CD I) or an enquiry: any does, but busy."""
    status = frame.fields.get(f.STATUS, "").strip()
    if frame.error is not None or not status:
        return False
    complement = read_complement(frame.fields.get(f.COMPLEMENT, ""))
    says_why = complement is not None and complement.code != f.UNKNOWN_CODE
    return status != f.Status.NOT_DONE or says_why


def _contradiction(frame: Frame, sent: OperationRequest, profile: Profile) -> Finding | None:
    """An answer that contradicts its request is not an answer to our payment."""
    if frame.repeated:
        return Finding.FIELD_REPEATED
    differing = differing_echo(
        frame.fields,
        {
            f.REGISTER_NUMBER: sent.register_number,
            f.ACTION: f.ACTIONS[sent.operation],
            f.CURRENCY: sent.currency,
        },
    )
    if differing is not None:
        return _DIFFERING[differing]
    if owner_of(frame.fields.get(f.PRIVATE_DATA, ""), sent.reference) is Owner.ANOTHER_PAYMENT:
        return Finding.OTHER_REFERENCE
    return _differing_amount(frame, sent, profile)


def _differing_amount(frame: Frame, sent: OperationRequest, profile: Profile) -> Finding | None:
    answered = amount_in(frame.fields)
    if answered is None or answered == sent.amount_cents:
        return None
    is_done = frame.fields[f.STATUS].strip() == f.Status.DONE
    if is_done and 0 < answered < sent.amount_cents:
        return None if asks_partial(sent, profile) else Finding.AMOUNT_LOWER
    return Finding.AMOUNT_DIFFERS


def _read_done(
    frame: Frame, said: Reading, complement: Complement | None, sent: OperationRequest, profile: Profile
) -> Reading:
    if complement is not None and complement.code not in f.DONE_CODES | {f.UNKNOWN_CODE}:
        return _in_doubt(said, Finding.AF_CONTRADICTS)
    if not profile.bare_success and not _shows_a_card(frame, sent, profile):
        return _in_doubt(said, Finding.BARE_SUCCESS)
    answered = said.answered_amount_cents
    paid = sent.amount_cents if answered is None else answered
    return replace(
        said,
        outcome=Outcome.SUCCEEDED,
        finding=None,
        paid_amount_cents=paid,
        # A code of a success is no error.
        error_code=None,
        error_description=None,
        warnings=(PARTIAL_AMOUNT,) if paid < sent.amount_cents else (),
        notes=said.notes if answered is not None else (*said.notes, AMOUNT_NOT_ECHOED),
    )


def _read_not_done(said: Reading, complement: Complement | None, came_at_once: bool) -> Reading:
    code = f.UNKNOWN_CODE if complement is None else complement.code
    if code in f.DONE_CODES:
        return _in_doubt(said, Finding.AF_CONTRADICTS)
    if code in f.ABORTED_CODES:
        return replace(said, outcome=Outcome.ABORTED, finding=None)
    if code == f.UNKNOWN_CODE and came_at_once:
        return replace(said, outcome=Outcome.BUSY, finding=None)
    return replace(said, outcome=Outcome.REFUSED, finding=None)


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


def _in_doubt(said: Reading, finding: Finding) -> Reading:
    doubt = replace(said, outcome=Outcome.IN_DOUBT, finding=finding)
    return without_foreign_data(doubt) if finding in FOREIGN_FINDINGS else doubt


def what_it_says(frame: Frame, sent: OperationRequest) -> Reading:
    """Return the answer's fields as values, masked and not judged: in doubt, without a finding."""
    fields = frame.fields
    complement = read_complement(fields.get(f.COMPLEMENT, ""))
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
        outcome=Outcome.IN_DOUBT,
        answered_amount_cents=None if answered is None or answered < 0 else answered,
        error_code=(complement.code or None) if complement else None,
        error_description=(complement.description or None) if complement else None,
        issuer_code=complement.issuer_code if complement else None,
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
