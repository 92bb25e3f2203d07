"""An enquiry proves success or nothing; every weaker answer is a hint at most."""

import pytest
from wire.concert import OTHER_PAYMENT, PAN, PAYMENT, answer, frame_of, receipt_field, request

from shared.concert.decoded_answer import AnswerMeaning
from shared.concert.enquiry import Grade, ProofGap, interpret_enquiry
from shared.payment.payment import Operation

DONE_RECEIPT = receipt_field(
    f"CARTE BANCAIRE\nCREDIT MUTUEL\n{PAN}\nMONTANT :\n25,00 EUR\nDEBIT\nTICKET CLIENT"
)


def enquiry_answer(**fields: str | None) -> dict[str, str | None]:
    return {"CF": PAYMENT, "ZT": DONE_RECEIPT} | fields


@pytest.mark.parametrize("action", ["0", "3", None])
def test_amount_operation_reference_and_receipt_together_prove_success(action: str | None) -> None:
    """CD may be the payment's, the enquiry's own, or left out."""
    enquiry = interpret_enquiry(answer(**enquiry_answer(CD=action)), request())

    assert (enquiry.grade, enquiry.gap) == (Grade.PROOF_OF_SUCCESS, None)
    assert (enquiry.parsed.meaning, enquiry.parsed.result.paid_cents) == (AnswerMeaning.SUCCEEDED, 2500)
    assert enquiry.parsed.result.receipt is not None
    assert PAN not in repr(enquiry)


@pytest.mark.parametrize(
    ("fields", "gap"),
    [
        ({"CB": "2400"}, ProofGap.OTHER_AMOUNT),
        ({"CD": "2"}, ProofGap.OTHER_OPERATION),
        ({"CE": "840"}, ProofGap.OTHER_CURRENCY),
        ({"CA": "02"}, ProofGap.OTHER_POS),
        ({"CF": OTHER_PAYMENT}, ProofGap.OTHER_REFERENCE),
        ({"CF": "1010000000"}, ProofGap.NO_REFERENCE),
        ({"CF": None}, ProofGap.NO_REFERENCE),
        ({"ZT": None}, ProofGap.NO_RECEIPT),
        ({"ZT": "CK003100AK005TE1OV"}, ProofGap.NO_RECEIPT),
        ({"ZT": receipt_field("ABANDON DEBIT\n25,00 EUR")}, ProofGap.RECEIPT_NOT_DONE),
        ({"ZT": receipt_field("25,00 EUR")}, ProofGap.RECEIPT_NOT_DONE),
    ],
)
def test_anything_less_is_a_hint(fields: dict[str, str | None], gap: ProofGap) -> None:
    """Shown to the operator who decides; card and receipt are not kept, they may be another merchant's."""
    enquiry = interpret_enquiry(answer(**enquiry_answer(**fields)), request())

    assert (enquiry.grade, enquiry.gap) == (Grade.HINT, gap)
    assert enquiry.parsed.meaning is AnswerMeaning.IN_DOUBT
    assert enquiry.parsed.result.paid_cents is None
    assert (enquiry.parsed.result.receipt, enquiry.parsed.result.masked_card) == (None, None)


@pytest.mark.parametrize(
    ("fields", "gap"),
    [
        ({"AE": "01"}, ProofGap.NOT_ANSWERED),
        ({"AE": "01", "AF": "06"}, ProofGap.NOT_ANSWERED),
        ({"AE": "11"}, ProofGap.NOT_ANSWERED),
        ({"AE": None}, ProofGap.UNREADABLE),
        ({"AF": "00"}, ProofGap.AF_PRESENT),
        ({"AF": "01"}, ProofGap.AF_PRESENT),
        ({"CB": None}, ProofGap.NO_AMOUNT),
        ({"CB": "abc"}, ProofGap.NO_AMOUNT),
    ],
)
def test_a_refusal_a_reason_or_no_amount_is_no_evidence(fields: dict[str, str | None], gap: ProofGap) -> None:
    """AE is about the enquiry, not about the payment: it never proves that nothing was charged."""
    enquiry = interpret_enquiry(answer(**enquiry_answer(**fields)), request())

    assert (enquiry.grade, enquiry.gap) == (Grade.NOTHING, gap)


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1", b"CZ0040320AE00210CB0042500CB0042501"])
def test_what_cannot_be_read_is_no_evidence(data: bytes) -> None:
    """Nor is a tag with two values."""
    assert interpret_enquiry(frame_of(data), request()).grade is Grade.NOTHING


def test_the_receipt_tells_a_reversal_from_its_debit() -> None:
    """With the enquiry's own CD, amount and reference alone would prove the wrong operation."""
    reversal = request(operation=Operation.REVERSAL)
    undone = answer(**enquiry_answer(CD="3", ZT=receipt_field("25,00 EUR\nANNULATION DEBIT")))
    debited = answer(**enquiry_answer(CD="3"))

    assert interpret_enquiry(undone, reversal).grade is Grade.PROOF_OF_SUCCESS
    assert interpret_enquiry(debited, reversal).gap is ProofGap.RECEIPT_NOT_DONE
    assert interpret_enquiry(undone, request()).gap is ProofGap.RECEIPT_NOT_DONE
