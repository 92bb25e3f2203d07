"""The proof that an answer to an enquiry (CD 3, the last transaction again) is of a payment in doubt.

An enquiry can prove success and nothing else: a sale typed by hand may have come between, the old request may
still wait in the terminal's backlog, the customer may pay after the answer.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from shared.concert import fields as f
from shared.concert.decode import Frame
from shared.concert.decoded_answer import AnswerMeaning, ParsedAnswer, read_answer_code, without_foreign_data
from shared.concert.echoes import Owner, owner_of
from shared.concert.encode import OperationRequest
from shared.concert.interpret import parse_fields, succeeded
from shared.concert.receipt import reads_as_done


class Grade(StrEnum):
    """The weight of an enquiry's answer."""

    #: The terminal's last transaction is this payment, and it was done.
    PROOF_OF_SUCCESS = "proof_of_success"
    #: For the operator who decides; changes nothing.
    HINT = "hint"
    #: Says nothing about any payment.
    NOTHING = "nothing"


class ProofGap(StrEnum):
    """The reason why an answer is no proof."""

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
    #: Hint: CA is another POS.
    OTHER_POS = "other_pos"
    #: Hint: CF carries another payment's reference.
    OTHER_REFERENCE = "other_reference"
    #: Hint: CF carries no reference of ours; two sales of one amount look alike.
    NO_REFERENCE = "no_reference"
    #: Hint: no receipt, or one that cannot be read.
    NO_RECEIPT = "no_receipt"
    #: Hint: the receipt does not say that this operation was done.
    RECEIPT_NOT_DONE = "receipt_not_done"


#: The last transaction is ours by its reference; with any other gap it is, or may be, another merchant's.
_OWN: Final = frozenset({ProofGap.NO_RECEIPT, ProofGap.RECEIPT_NOT_DONE})
FOREIGN_GAPS: Final = frozenset(ProofGap) - _OWN
_NOTHING = frozenset({ProofGap.UNREADABLE, ProofGap.NOT_ANSWERED, ProofGap.AF_PRESENT, ProofGap.NO_AMOUNT})


@dataclass(frozen=True, slots=True)
class ParsedEnquiry:
    """An enquiry's answer with its weight.

    `parsed` is succeeded and has the amount paid where it is a proof; else it is in doubt, and holds nothing
    of the answer but a receipt's fingerprint: it may be another merchant's.
    """

    grade: Grade
    gap: ProofGap | None
    parsed: ParsedAnswer


def interpret_enquiry(frame: Frame, sent: OperationRequest) -> ParsedEnquiry:
    """Return the weight of a complete answer to an enquiry for the payment `sent`. Never 'not charged'."""
    parsed = parse_fields(frame, sent)
    gap = _gap(frame, parsed, sent)
    if gap is None:
        result = succeeded(parsed.result, sent.amount_cents)
        done = replace(parsed, meaning=AnswerMeaning.SUCCEEDED, result=result)
        return ParsedEnquiry(Grade.PROOF_OF_SUCCESS, None, done)
    grade = Grade.NOTHING if gap in _NOTHING else Grade.HINT
    return ParsedEnquiry(grade, gap, replace(without_foreign_data(parsed), is_foreign=gap not in _OWN))


def _gap(frame: Frame, parsed: ParsedAnswer, sent: OperationRequest) -> ProofGap | None:
    return _no_evidence(frame, parsed) or _other_transaction(frame, parsed, sent) or _no_sign(parsed, sent)


def _no_evidence(frame: Frame, parsed: ParsedAnswer) -> ProofGap | None:
    fields = frame.fields
    if frame.error is not None or frame.repeated or f.STATUS not in fields:
        return ProofGap.UNREADABLE
    if fields[f.STATUS].strip() != f.Status.DONE:
        return ProofGap.NOT_ANSWERED
    if read_answer_code(fields.get(f.ANSWER_CODE, "")) is not None:
        return ProofGap.AF_PRESENT
    return ProofGap.NO_AMOUNT if parsed.answered_amount_cents is None else None


def _other_transaction(frame: Frame, parsed: ParsedAnswer, sent: OperationRequest) -> ProofGap | None:
    if parsed.answered_amount_cents != sent.amount_cents:
        return ProofGap.OTHER_AMOUNT
    # CD may also be the enquiry's own; then the receipt must name the operation.
    for tag, accepted, gap in (
        (f.ACTION, {f.ACTIONS[sent.operation], f.Action.DUPLICATE}, ProofGap.OTHER_OPERATION),
        (f.CURRENCY, {sent.currency}, ProofGap.OTHER_CURRENCY),
        (f.POS_NUMBER, {sent.pos_number}, ProofGap.OTHER_POS),
    ):
        if tag in frame.fields and frame.fields[tag].strip() not in accepted:
            return gap
    match owner_of(frame.fields.get(f.PRIVATE_DATA, ""), sent.reference):
        case Owner.ANOTHER_PAYMENT:
            return ProofGap.OTHER_REFERENCE
        case Owner.NOBODY:
            return ProofGap.NO_REFERENCE
        case Owner.OURS:
            return None


def _no_sign(parsed: ParsedAnswer, sent: OperationRequest) -> ProofGap | None:
    if parsed.result.receipt is None:
        return ProofGap.NO_RECEIPT
    return None if reads_as_done(parsed.result.receipt, sent.operation) else ProofGap.RECEIPT_NOT_DONE
