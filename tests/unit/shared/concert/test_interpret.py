"""The meaning of an answer for its payment, rule by rule."""

import pytest
from wire.concert import (
    IDENTIFIED,
    PAN,
    PAYMENT,
    REJECTED,
    SHORTEST,
    answer,
    frame_of,
    read,
    receipt_field,
    request,
)

from shared.concert.decoded_answer import Anomaly, AnswerMeaning
from shared.concert.interpret import answers_identification
from shared.payment.payment import Reason

DOUBT = AnswerMeaning.IN_DOUBT
#: Signs of a card that an answer may carry, all left out.
BARE: dict[str, str | None] = {"AC": None, "CC": None}


def test_done_is_success_of_the_echoed_amount() -> None:
    """AE 10: the money moved."""
    parsed = read(answer(AI="A0000000421010", CI="1", CG="1999403", CF=PAYMENT))

    assert (parsed.meaning, parsed.anomaly, parsed.reason) == (AnswerMeaning.SUCCEEDED, None, None)
    assert parsed.result.paid_cents == 2500
    assert parsed.result.authorisation_number == "184117"
    assert parsed.result.application == "001"
    assert (parsed.result.aid, parsed.result.card_read_mode) == ("A0000000421010", "1")
    assert (parsed.result.error_code, parsed.result.error_description) == (None, None)
    assert parsed.result.warnings == ()
    assert parsed.notes == ("reference_confirmed",)


@pytest.mark.parametrize("answer_code", [None, "00", "01", "03", "   ", "01APPROUVEE"])
def test_done_goes_with_no_reason_unknown_authorised_or_forced(answer_code: str | None) -> None:
    """AF none, 00, 01 or 03."""
    parsed = read(answer(AF=answer_code))

    assert parsed.meaning is AnswerMeaning.SUCCEEDED
    assert parsed.result.error_code is None


@pytest.mark.parametrize("answer_code", ["02", "04", "05", "06", "07", "08", "10", "13", "77", "APPROUVEE"])
def test_done_with_any_other_reason_is_in_doubt(answer_code: str) -> None:
    """AE 10 and such an AF contradict each other."""
    parsed = read(answer(AF=answer_code))

    assert (parsed.meaning, parsed.anomaly) == (DOUBT, Anomaly.AF_CONTRADICTS)
    assert parsed.reason is Reason.CONTRADICTING_ANSWER
    assert parsed.result.paid_cents is None


@pytest.mark.parametrize("code", ["02", "04", "05", "07", "09", "12", "13"])
@pytest.mark.parametrize("after_seconds", [0.1, 20])
def test_a_refusal_is_refused(code: str, after_seconds: float) -> None:
    """At any time; the code is the reason."""
    parsed = read(answer(AE="01", AF=code), after_seconds=after_seconds)

    assert (parsed.meaning, parsed.result.error_code) == (AnswerMeaning.REFUSED, code)
    assert parsed.reason is None
    assert parsed.result.paid_cents is None


@pytest.mark.parametrize("code", ["06", "08", "10", "11"])
@pytest.mark.parametrize("after_seconds", [0.1, 20])
def test_a_customer_who_gives_up_aborts(code: str, after_seconds: float) -> None:
    """The red button, no input in time, a wrong choice, the shop's own stop."""
    parsed = read(answer(AE="01", AF=code), after_seconds=after_seconds)

    assert (parsed.meaning, parsed.result.error_code) == (AnswerMeaning.ABORTED, code)


@pytest.mark.parametrize("code", ["01", "03"])
def test_not_done_but_authorised_is_in_doubt(code: str) -> None:
    """AE 01 with AF 01 or 03, even at once."""
    parsed = read(answer(AE="01", AF=code), after_seconds=0.1)

    assert (parsed.meaning, parsed.anomaly) == (DOUBT, Anomaly.AF_CONTRADICTS)


@pytest.mark.parametrize("answer_code", [None, "00", "00OCCUPE", "  "])
def test_not_done_without_a_reason_at_once_is_busy(answer_code: str | None) -> None:
    """So a terminal answers that still shows another amount: nothing was tried."""
    parsed = read(answer(AE="01", AF=answer_code, AC=None), after_seconds=1.99)

    assert (parsed.meaning, parsed.reason) == (AnswerMeaning.BUSY, Reason.BUSY)


@pytest.mark.parametrize(("answer_code", "code"), [(None, None), ("00", "00")])
def test_not_done_without_a_reason_later_is_refused(answer_code: str | None, code: str | None) -> None:
    """From two seconds after the write on the customer may have been asked."""
    parsed = read(answer(AE="01", AF=answer_code, AC=None), after_seconds=2.0)

    assert (parsed.meaning, parsed.result.error_code) == (AnswerMeaning.REFUSED, code)


@pytest.mark.parametrize(("answer_code", "code"), [("77", "77"), ("OCCUPE", None), ("1", None)])
def test_not_done_with_a_reason_that_is_not_listed_is_refused_even_at_once(
    answer_code: str, code: str | None
) -> None:
    """Only none and 00 are a busy terminal's."""
    parsed = read(answer(AE="01", AF=answer_code), after_seconds=0.1)

    assert (parsed.meaning, parsed.result.error_code) == (AnswerMeaning.REFUSED, code)


@pytest.mark.parametrize(
    ("status", "anomaly"),
    [("11", Anomaly.TAKEN_INTO_ACCOUNT), ("99", Anomaly.STATUS_UNKNOWN), ("XX", Anomaly.STATUS_UNKNOWN)],
)
def test_any_other_status_is_in_doubt(status: str, anomaly: Anomaly) -> None:
    """AE 11 where immediate mode was not asked for, and what nobody describes."""
    parsed = read(answer(AE=status))

    assert (parsed.meaning, parsed.anomaly) == (DOUBT, anomaly)
    assert parsed.reason is not None


@pytest.mark.parametrize("data", [b"", b"CZ0040320", b"HTTP/1.1", b"CZ0040320AE00210?"])
def test_what_is_no_answer_is_in_doubt(data: bytes) -> None:
    """No row of fields, or one without a status."""
    parsed = read(frame_of(data))

    assert (parsed.meaning, parsed.anomaly) == (DOUBT, Anomaly.UNREADABLE)
    assert parsed.reason is Reason.UNREADABLE


def test_a_cut_receipt_is_a_sign_and_costs_the_receipt_only() -> None:
    """The event says so."""
    parsed = read(frame_of(b"CZ0040320AE00210CB0042500ZT450CK003100AK4"))

    assert parsed.meaning is AnswerMeaning.SUCCEEDED
    assert parsed.result.receipt is None
    assert parsed.notes == ("receipt_unreadable",)


@pytest.mark.parametrize("ticket", ["CK003100AK006\x01\x02\x03\x04\x05\x06", "CK003100AK005TE1OV"])
def test_an_unreadable_receipt_never_changes_an_outcome(ticket: str) -> None:
    """Neither a success nor a refusal."""
    done = read(answer(ZT=ticket))
    refused = read(answer(ZT=ticket, AE="01", AF="04"))

    assert (done.meaning, refused.meaning) == (AnswerMeaning.SUCCEEDED, AnswerMeaning.REFUSED)
    assert done.result.receipt is refused.result.receipt is None
    assert "receipt_unreadable" in done.notes
    assert "receipt_unreadable" in refused.notes


def test_a_refused_payments_receipt_and_authorisation_number_are_kept() -> None:
    """A refused payment has both, too: they prove nothing."""
    parsed = read(answer(AE="01", AF="04", ZT=receipt_field("ABANDON DEBIT")))

    assert (parsed.meaning, parsed.result.receipt) == (AnswerMeaning.REFUSED, "ABANDON DEBIT")
    assert parsed.result.authorisation_number == "184117"


def test_application_and_read_mode_may_differ_from_the_request() -> None:
    """They tell how the customer paid."""
    parsed = read(answer(CC="00D", CI="2"), sent=request(application="001"))

    assert (parsed.meaning, parsed.result.application) == (AnswerMeaning.SUCCEEDED, "00D")


def test_no_card_data_are_in_a_parsed_answer() -> None:
    """Number masked wherever it stands, expiry and track gone."""
    parsed = read(
        answer(
            AA=PAN,
            AB="2812",
            AD="TRACK4970101234567893",
            AF=f"01{PAN}",
            AC=PAN[:10],
            ZZ=f"card {PAN}",
            CG=PAN,
            ZT=receipt_field(f"CARTE {PAN}\nDEBIT"),
        )
    )

    assert parsed.result.masked_card == "497010******7893"
    assert parsed.result.receipt == "CARTE 497010******7893\nDEBIT"
    assert not any(secret in repr(parsed) for secret in (PAN, "2812", "TRACK"))


@pytest.mark.parametrize(
    ("answer_code", "description"),
    [
        ("04", "refused"),
        ("04CARTE MUETTE", "refused: CARTE MUETTE"),
        ("0414" + "8HOLDER INVALID".ljust(21) + "    ", "refused: 8HOLDER INVALID"),
        ("77TEXTE", "TEXTE"),
        ("TEXTE SEUL", "TEXTE SEUL"),
    ],
)
def test_an_error_has_a_description(answer_code: str, description: str) -> None:
    """The code's words and the terminal's text, in fixed columns or plain."""
    assert read(answer(AE="01", AF=answer_code)).result.error_description == description


def test_the_issuers_code_is_read_from_its_column() -> None:
    """CB/EMV applications: CB2A field 39."""
    assert read(answer(AE="01", AF="0451" + " " * 25)).issuer_code == "51"
    assert read(answer(AE="01", AF="04" + " " * 27)).issuer_code is None


def test_control_characters_never_reach_a_parsed_answer() -> None:
    """Databases refuse U+0000."""
    parsed = read(answer(AC="18\x004117", AF="01\x00", ZZ="\x00a", ZT=receipt_field("A\x00\rB\x1b")))

    assert parsed.result.authorisation_number == "184117"
    assert parsed.result.receipt == "A\nB"
    assert "\\x00" not in repr(parsed)


def test_the_worked_answers_are_read() -> None:
    """A request rejected for its format, and the shortest answer seen."""
    rejected = read(frame_of(REJECTED), sent=request(amount_cents=12345), after_seconds=0.1)
    shortest = read(frame_of(SHORTEST), after_seconds=0.1)

    assert (rejected.meaning, rejected.result.error_code) == (AnswerMeaning.REFUSED, "09")
    assert (shortest.meaning, shortest.result.error_code) == (AnswerMeaning.REFUSED, "04")


@pytest.mark.parametrize(
    ("data", "answered"),
    [
        (IDENTIFIED, True),
        (b"CZ0040301AE00201AF00212", True),
        (b"CZ0040301AE00201", False),
        (b"CZ0040301AE00201AF00200", False),
        (b"CZ0040301", False),
        (b"HTTP/1.1", False),
    ],
)
def test_an_identification_is_answered_by_any_answer_but_busy(data: bytes, answered: bool) -> None:
    """A terminal that does not know the action is there all the same."""
    assert answers_identification(frame_of(data)) is answered
