"""What the answer to an enquiry (CD 3, the last transaction again) proves about a payment in doubt.

An enquiry can prove success and nothing else: a sale typed by hand may have come between, the old request may
still wait in the terminal's backlog, the customer may pay after the look.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from shared.concert import fields as f
from shared.concert.answer_code import read_answer_code
from shared.concert.decode import Frame
from shared.concert.decoded_answer import AnswerMeaning, Reading, without_foreign_data
from shared.concert.encode import OperationRequest
from shared.concert.interpret import what_it_says
from shared.concert.receipt import reads_as_done
from shared.concert.reference import Owner, owner_of


class Evidence(StrEnum):
    """What an enquiry's answer is worth."""

    #: The terminal's last transaction is this payment, and it was done.
    PROOF_OF_SUCCESS = "proof_of_success"
    #: For the person who decides; changes nothing.
    HINT = "hint"
    #: Says nothing about any payment.
    NOTHING = "nothing"


class Lack(StrEnum):
    """Why it is no proof."""

    #: Nothing: no row of fields, no status, or a tag with two values.
    UNREADABLE = "unreadable"
    #: Nothing: any status but done, busy among them; the status is about the enquiry, not about the payment.
    NOT_ANSWERED = "not_answered"
    #: Nothing: done together with an AF.
    AF_PRESENT = "af_present"
    #: Nothing: no amount.
    NO_AMOUNT = "no_amount"
    #: Hint: the last transaction's amount is another one.
    OTHER_AMOUNT = "other_amount"
    #: Hint: CD names another operation.
    OTHER_OPERATION = "other_operation"
    #: Hint: CE is another currency.
    OTHER_CURRENCY = "other_currency"
    #: Hint: CA is another register.
    OTHER_POS = "other_pos"
    #: Hint: CF carries another payment's reference.
    OTHER_REFERENCE = "other_reference"
    #: Hint: CF carries no reference of ours; two sales of one amount look alike.
    NO_REFERENCE = "no_reference"
    #: Hint: no ticket, or one that cannot be read.
    NO_TICKET = "no_ticket"
    #: Hint: the ticket does not say that this operation was done.
    TICKET_NOT_DONE = "ticket_not_done"


#: The last transaction is ours by its reference; with any other lack it is, or may be, another merchant's.
_OWN: Final = frozenset({Lack.NO_TICKET, Lack.TICKET_NOT_DONE})
FOREIGN_LACKS: Final = frozenset(Lack) - _OWN
_NOTHING = frozenset({Lack.UNREADABLE, Lack.NOT_ANSWERED, Lack.AF_PRESENT, Lack.NO_AMOUNT})


@dataclass(frozen=True, slots=True)
class EnquiryReading:
    """An enquiry's worth, and what it says.

    `said` has outcome succeeded and the amount paid where it is a proof; else it is in doubt, and holds
    nothing of the answer but a ticket's fingerprint: it may be another merchant's.
    """

    evidence: Evidence
    lack: Lack | None
    said: Reading


def read_enquiry(frame: Frame, sent: OperationRequest) -> EnquiryReading:
    """Return what a complete answer to an enquiry says about the payment `sent`. Never 'not charged'."""
    said = what_it_says(frame, sent)
    lack = _lack(frame, said, sent)
    if lack is None:
        done = replace(
            said,
            outcome=AnswerMeaning.SUCCEEDED,
            paid_amount_cents=said.answered_amount_cents,
            error_code=None,
            error_description=None,
        )
        return EnquiryReading(Evidence.PROOF_OF_SUCCESS, None, done)
    evidence = Evidence.NOTHING if lack in _NOTHING else Evidence.HINT
    return EnquiryReading(evidence, lack, replace(without_foreign_data(said), is_foreign=lack not in _OWN))


def _lack(frame: Frame, said: Reading, sent: OperationRequest) -> Lack | None:
    return _no_evidence(frame, said) or _other_transaction(frame, said, sent) or _no_sign(said, sent)


def _no_evidence(frame: Frame, said: Reading) -> Lack | None:
    fields = frame.fields
    if frame.error is not None or frame.repeated or f.STATUS not in fields:
        return Lack.UNREADABLE
    if fields[f.STATUS].strip() != f.Status.DONE:
        return Lack.NOT_ANSWERED
    if read_answer_code(fields.get(f.ANSWER_CODE, "")) is not None:
        return Lack.AF_PRESENT
    return Lack.NO_AMOUNT if said.answered_amount_cents is None else None


def _other_transaction(frame: Frame, said: Reading, sent: OperationRequest) -> Lack | None:
    if said.answered_amount_cents != sent.amount_cents:
        return Lack.OTHER_AMOUNT
    # CD may also be the enquiry's own; then the ticket must name the operation.
    for tag, accepted, lack in (
        (f.ACTION, {f.ACTIONS[sent.operation], f.Action.DUPLICATE}, Lack.OTHER_OPERATION),
        (f.CURRENCY, {sent.currency}, Lack.OTHER_CURRENCY),
        (f.POS_NUMBER, {sent.pos_number}, Lack.OTHER_POS),
    ):
        if tag in frame.fields and frame.fields[tag].strip() not in accepted:
            return lack
    match owner_of(frame.fields.get(f.PRIVATE_DATA, ""), sent.reference):
        case Owner.ANOTHER_PAYMENT:
            return Lack.OTHER_REFERENCE
        case Owner.NOBODY:
            return Lack.NO_REFERENCE
        case Owner.OURS:
            return None


def _no_sign(said: Reading, sent: OperationRequest) -> Lack | None:
    if said.receipt is None:
        return Lack.NO_TICKET
    return None if reads_as_done(said.receipt, sent.operation) else Lack.TICKET_NOT_DONE
