"""Echoes of the request in an answer: amount, reference, operation and currency agree, or it is in doubt."""

import pytest
from wire.concert import (
    OTHER_PAYMENT,
    PAN,
    PAYMENT,
    answer,
    frame_of,
    read,
    receipt_field,
    request,
)

from shared.concert.decoded_answer import Anomaly, AnswerMeaning, ParsedAnswer
from shared.concert.profile import Profile
from shared.payment.payment import Operation, Reason

DOUBT = AnswerMeaning.IN_DOUBT


@pytest.mark.parametrize("status", ["10", "01"])
@pytest.mark.parametrize(
    ("changes", "anomaly"),
    [
        ({"CA": "02"}, Anomaly.OTHER_POS),
        ({"CD": "1"}, Anomaly.OTHER_OPERATION),
        ({"CE": "840"}, Anomaly.OTHER_CURRENCY),
        ({"CF": OTHER_PAYMENT}, Anomaly.OTHER_REFERENCE),
        ({"CF": OTHER_PAYMENT + "§1010000000"}, Anomaly.OTHER_REFERENCE),
        ({"CF": "PAY_" + OTHER_PAYMENT[4:]}, Anomaly.OTHER_REFERENCE),
        ({"CB": "2501"}, Anomaly.AMOUNT_DIFFERS),
        ({"CB": "25,00"}, Anomaly.AMOUNT_DIFFERS),
        ({"CB": "00"}, Anomaly.AMOUNT_DIFFERS),
    ],
)
def test_an_answer_that_contradicts_its_request_is_in_doubt(
    status: str, changes: dict[str, str], anomaly: Anomaly
) -> None:
    """It is no answer to our payment: never a failure, never a success, not even 'busy'."""
    for after_seconds in (0.1, 20):
        parsed = read(answer(AE=status, **changes), after_seconds=after_seconds)

        assert (parsed.meaning, parsed.anomaly) == (DOUBT, anomaly)
        assert parsed.reason is Reason.CONTRADICTING_ANSWER


def test_a_tag_with_two_values_is_in_doubt() -> None:
    """For any tag, on refusals too."""
    for status in (b"AE00210", b"AE00201AF00204"):
        parsed = read(frame_of(b"CZ0040320" + status + b"CB0042500CB0042400AC00211"))

        assert (parsed.meaning, parsed.anomaly) == (DOUBT, Anomaly.FIELD_REPEATED)


def test_another_payments_receipt_is_kept_as_a_fingerprint_only() -> None:
    """It may belong to another merchant."""
    parsed = read(answer(CB="9900", AA=PAN, ZT=receipt_field("DEBIT\n99,00 EUR"), AI="A0000000421010"))

    assert parsed.is_foreign
    assert parsed.receipt_fingerprint is not None
    assert len(parsed.receipt_fingerprint) == 64
    assert parsed == ParsedAnswer(
        meaning=DOUBT,
        anomaly=Anomaly.AMOUNT_DIFFERS,
        is_foreign=True,
        receipt_fingerprint=parsed.receipt_fingerprint,
    )


@pytest.mark.parametrize("amount", ["2500", "00002500", "000000002500"])
def test_an_amount_padded_with_zeros_is_the_amount(amount: str) -> None:
    """Answers may be left-padded."""
    assert read(answer(CB=amount)).result.paid_cents == 2500


def test_a_lower_amount_is_in_doubt_where_partial_payment_is_not_known() -> None:
    """For an operator: it is our payment, so card and receipt are shown."""
    parsed = read(answer(CB="1900", ZT=receipt_field("DEBIT")))

    assert (parsed.meaning, parsed.anomaly, parsed.reason) == (
        DOUBT,
        Anomaly.AMOUNT_LOWER,
        Reason.AMOUNT_LOWER,
    )
    assert (parsed.answered_amount_cents, parsed.result.paid_cents) == (1900, None)
    assert parsed.result.receipt == "DEBIT"


def test_a_lower_amount_is_what_was_paid_where_partial_payment_is_known() -> None:
    """Meal vouchers; the caller gets a warning."""
    parsed = read(answer(CB="1900"), profile=Profile(accepts_partial=True))

    assert (parsed.meaning, parsed.result.paid_cents) == (AnswerMeaning.SUCCEEDED, 1900)
    assert parsed.result.warnings == ("partial_amount",)


def test_partial_payment_excuses_neither_a_refusal_nor_a_reversal_nor_a_higher_amount() -> None:
    """Only a debit's success of less than was asked."""
    profile = Profile(accepts_partial=True)
    reversal = request(operation=Operation.REVERSAL)

    refused = read(answer(AE="01", AF="04", CB="1900"), profile=profile)
    undone = read(answer(CD="2", CB="1900"), sent=reversal, profile=profile)
    higher = read(answer(CB="2600"), profile=profile)

    assert [parsed.anomaly for parsed in (refused, undone, higher)] == [
        Anomaly.AMOUNT_DIFFERS,
        Anomaly.AMOUNT_LOWER,
        Anomaly.AMOUNT_DIFFERS,
    ]


def test_missing_echoes_are_tolerated() -> None:
    """The red button's answer of a real terminal has no amount; done without one is the asked amount."""
    aborted = read(answer(AE="01", AF="06", CA=None, CB=None, CD=None, CE=None, AC=None))
    done = read(answer(CJ=None, CA=None, CB=None, CD=None, CE=None))

    assert aborted.meaning is AnswerMeaning.ABORTED
    assert (done.meaning, done.result.paid_cents) == (AnswerMeaning.SUCCEEDED, 2500)
    assert done.notes == ("amount_not_echoed",)
    assert done.answered_amount_cents is None


@pytest.mark.parametrize(
    "private_data", ["1010000000", "", PAYMENT[:20], "pay_", PAYMENT, PAYMENT + "§1010000000"]
)
def test_a_reference_that_is_ours_or_no_reference_contradicts_nothing(private_data: str) -> None:
    """The terminal's own private data say nothing."""
    parsed = read(answer(CF=private_data))

    assert parsed.meaning is AnswerMeaning.SUCCEEDED
    assert ("reference_confirmed" in parsed.notes) == private_data.startswith(PAYMENT)
