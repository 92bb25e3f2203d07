"""An enquiry proves success or nothing; every weaker answer is a hint at most."""

import pytest
from concert import OTHER_PAYMENT, PAN, PAYMENT, answer, frame_of, request, ticket_field

from shared.concert.decoded_answer import AnswerMeaning
from shared.concert.enquiry import Evidence, Lack, read_enquiry
from shared.payment.payment import Operation

DONE_TICKET = ticket_field(
    f"CARTE BANCAIRE\nCREDIT MUTUEL\n{PAN}\nMONTANT :\n25,00 EUR\nDEBIT\nTICKET CLIENT"
)


def enquiry_answer(**fields: str | None) -> dict[str, str | None]:
    return {"CF": PAYMENT, "ZT": DONE_TICKET} | fields


@pytest.mark.parametrize("action", ["0", "3", None])
def test_amount_operation_reference_and_ticket_together_prove_success(action: str | None) -> None:
    """CD may be the payment's, the enquiry's own, or left out."""
    reading = read_enquiry(answer(**enquiry_answer(CD=action)), request())

    assert (reading.evidence, reading.lack) == (Evidence.PROOF_OF_SUCCESS, None)
    assert (reading.said.outcome, reading.said.paid_amount_cents) == (AnswerMeaning.SUCCEEDED, 2500)
    assert reading.said.receipt is not None
    assert PAN not in repr(reading)


@pytest.mark.parametrize(
    ("fields", "lack"),
    [
        ({"CB": "2400"}, Lack.OTHER_AMOUNT),
        ({"CD": "2"}, Lack.OTHER_OPERATION),
        ({"CE": "840"}, Lack.OTHER_CURRENCY),
        ({"CA": "02"}, Lack.OTHER_POS),
        ({"CF": OTHER_PAYMENT}, Lack.OTHER_REFERENCE),
        ({"CF": "1010000000"}, Lack.NO_REFERENCE),
        ({"CF": None}, Lack.NO_REFERENCE),
        ({"ZT": None}, Lack.NO_TICKET),
        ({"ZT": "CK003100AK005TE1OV"}, Lack.NO_TICKET),
        ({"ZT": ticket_field("ABANDON DEBIT\n25,00 EUR")}, Lack.TICKET_NOT_DONE),
        ({"ZT": ticket_field("25,00 EUR")}, Lack.TICKET_NOT_DONE),
    ],
)
def test_anything_less_is_a_hint(fields: dict[str, str | None], lack: Lack) -> None:
    """Shown to the person who decides; neither card nor ticket are kept, they may be another merchant's."""
    reading = read_enquiry(answer(**enquiry_answer(**fields)), request())

    assert (reading.evidence, reading.lack) == (Evidence.HINT, lack)
    assert reading.said.outcome is AnswerMeaning.IN_DOUBT
    assert reading.said.paid_amount_cents is None
    assert (reading.said.receipt, reading.said.masked_card) == (None, None)


@pytest.mark.parametrize(
    ("fields", "lack"),
    [
        ({"AE": "01"}, Lack.NOT_ANSWERED),
        ({"AE": "01", "AF": "06"}, Lack.NOT_ANSWERED),
        ({"AE": "11"}, Lack.NOT_ANSWERED),
        ({"AE": None}, Lack.UNREADABLE),
        ({"AF": "00"}, Lack.AF_PRESENT),
        ({"AF": "01"}, Lack.AF_PRESENT),
        ({"CB": None}, Lack.NO_AMOUNT),
        ({"CB": "abc"}, Lack.NO_AMOUNT),
    ],
)
def test_a_refusal_a_reason_or_no_amount_is_no_evidence(fields: dict[str, str | None], lack: Lack) -> None:
    """AE is about the enquiry, not about the payment: it never proves that nothing was charged."""
    reading = read_enquiry(answer(**enquiry_answer(**fields)), request())

    assert (reading.evidence, reading.lack) == (Evidence.NOTHING, lack)


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1", b"CZ0040320AE00210CB0042500CB0042501"])
def test_what_cannot_be_read_is_no_evidence(data: bytes) -> None:
    """Nor is a tag with two values."""
    assert read_enquiry(frame_of(data), request()).evidence is Evidence.NOTHING


def test_the_ticket_tells_a_reversal_from_its_debit() -> None:
    """Where CD is the enquiry's own, amount and reference alone would prove the wrong operation."""
    reversal = request(operation=Operation.REVERSAL)
    undone = answer(**enquiry_answer(CD="3", ZT=ticket_field("25,00 EUR\nANNULATION DEBIT")))
    debited = answer(**enquiry_answer(CD="3"))

    assert read_enquiry(undone, reversal).evidence is Evidence.PROOF_OF_SUCCESS
    assert read_enquiry(debited, reversal).lack is Lack.TICKET_NOT_DONE
    assert read_enquiry(undone, request()).lack is Lack.TICKET_NOT_DONE
