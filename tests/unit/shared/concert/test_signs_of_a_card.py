"""A success needs a sign of a card in its answer, unless none was asked for."""

import pytest
from wire.concert import (
    answer,
    read,
    receipt_field,
    request,
)

from shared.concert.decoded_answer import Anomaly, AnswerMeaning
from shared.concert.fields import APPLICATIONS
from shared.concert.profile import Profile
from shared.payment.payment import Reason

DOUBT = AnswerMeaning.IN_DOUBT
#: Signs of a card that an answer may carry, all left out.
BARE: dict[str, str | None] = {"AC": None, "CC": None}


@pytest.mark.parametrize(
    "sign",
    [
        {"AC": "184117"},
        {"AA": "497010******7893"},
        {"AI": "A0000000421010"},
        {"CI": "2"},
        {"ZT": receipt_field("DEBIT")},
        {"AK": "REVCSVQ="},
        {"AK": "!"},
        {"CC": "00B"},
        {"AD": "0123456789"},
    ],
)
def test_done_with_any_sign_of_a_card_is_success(sign: dict[str, str]) -> None:
    """Authorisation, card, application, read mode, a receipt, or an application that was not sent."""
    assert read(answer(**(BARE | sign)), sent=request(application="001")).meaning is AnswerMeaning.SUCCEEDED


@pytest.mark.parametrize("sign", [{}, {"CC": "001"}, {"AC": "  "}, {"ZT": "CK003000"}])
def test_done_without_any_sign_of_a_card_is_in_doubt(sign: dict[str, str]) -> None:
    """So a terminal in immediate mode says 'request taken', before any card."""
    parsed = read(answer(**(BARE | sign)), sent=request(application="001"))

    assert (parsed.meaning, parsed.anomaly) == (DOUBT, Anomaly.BARE_SUCCESS)
    assert parsed.reason is Reason.NO_SIGN_OF_CARD


@pytest.mark.parametrize("application", ["00C", "607"])
@pytest.mark.parametrize("answered", ["as asked", None])
def test_an_application_without_a_card_needs_no_sign_of_one(application: str, answered: str | None) -> None:
    """A cheque or a QR code that was asked for is paid by the terminal's word alone."""
    frame = answer(**(BARE | {"CC": application if answered else None}))

    assert read(frame, sent=request(application=application)).meaning is AnswerMeaning.SUCCEEDED


@pytest.mark.parametrize("application", [code for code in APPLICATIONS if code not in ("00C", "607")])
def test_every_other_application_needs_a_sign_of_a_card(application: str) -> None:
    """A card is read, or at least its number keyed in; meal vouchers and instalments are cards, too."""
    parsed = read(answer(**(BARE | {"CC": application})), sent=request(application=application))

    assert (parsed.meaning, parsed.anomaly) == (DOUBT, Anomaly.BARE_SUCCESS)


def test_an_application_without_a_card_that_was_not_sent_excuses_nothing() -> None:
    """The terminal was not asked for a cheque: a bare 'done' may be 'request taken' for a card."""
    profile = Profile(sends_application=False)

    parsed = read(answer(**BARE), sent=request(application="00C"), profile=profile)

    assert parsed.anomaly is Anomaly.BARE_SUCCESS


def test_an_application_that_the_profile_kept_back_is_a_sign() -> None:
    """A field that was not sent cannot have been copied."""
    parsed = read(answer(AC=None), sent=request(application="001"), profile=Profile(sends_application=False))

    assert parsed.meaning is AnswerMeaning.SUCCEEDED


def test_bare_success_counts_on_a_terminal_known_for_it() -> None:
    """A switch of the profile."""
    assert read(answer(**BARE), profile=Profile(bare_success=True)).meaning is AnswerMeaning.SUCCEEDED
