"""The issuer answers by the account."""

from dataclasses import replace

import pytest

from sandbox.cards import DECK, AccountStatus
from sandbox.gateway.accounts import Account, Decision, decide

_ACCOUNT = Account(pan="4111111111111111", expiry="2612", available_cents=5000, payment_limit_cents=4000)


def _decide(
    account: Account = _ACCOUNT,
    operation: str = "debit",
    cents: int = 1000,
    *,
    pin: str = "ok",
    wanted_code: str | None = None,
) -> Decision:
    return decide(account, operation, cents, pin=pin, month="2611", wanted_code=wanted_code)


@pytest.mark.parametrize(
    ("change", "cents", "pin", "code"),
    [
        ({}, 4000, "ok", "00"),
        ({}, 4001, "ok", "61"),
        ({"payment_limit_cents": None}, 5001, "ok", "51"),
        ({"payment_limit_cents": None, "available_cents": None}, 10**9, "none", "00"),
        ({"expiry": "2611"}, 1, "ok", "00"),
        ({"expiry": "2610"}, 1, "ok", "54"),
        ({"status": AccountStatus.BLOCKED}, 1, "ok", "62"),
        ({"status": AccountStatus.LOST}, 1, "ok", "41"),
        ({"status": AccountStatus.STOLEN}, 1, "ok", "43"),
        ({"status": AccountStatus.RETAINED}, 1, "ok", "04"),
        ({"status": AccountStatus.REFUSED}, 1, "ok", "05"),
        ({}, 1, "wrong", "55"),
        ({"pin_tries_left": 1}, 1, "wrong", "75"),
        ({"pin_tries_left": 0}, 1, "ok", "75"),
    ],
    ids=str,
)
def test_a_debit_is_answered_by_the_account(
    change: dict[str, object], cents: int, pin: str, code: str
) -> None:
    """Limits, status, expiry, PIN: each has its code."""
    account = replace(_ACCOUNT, **change)  # type: ignore[arg-type]

    assert _decide(account, cents=cents, pin=pin).code == code


def test_a_spent_amount_is_unavailable_until_it_is_given_back() -> None:
    """A debit takes, a reversal and a credit give back; a reversal gives back no more than was taken."""
    after = _decide(cents=4000).account
    assert (after.available_cents, after.spent_cents) == (1000, 4000)
    assert _decide(after, cents=1001).code == "51"

    assert _decide(after, "reversal", 4000).account.available_cents == 5000
    assert _decide(after, "credit", 500).account.available_cents == 1500
    assert _decide(_ACCOUNT, "reversal", 4000).account == _ACCOUNT


def test_a_reversal_is_never_refused() -> None:
    """Not even on a card that was reported lost meanwhile."""
    assert _decide(replace(_ACCOUNT, status=AccountStatus.LOST), "reversal").code == "00"


def test_a_wanted_code_wins_and_costs_nothing() -> None:
    """Also over an account that would approve; 00 asks for the usual answer."""
    refused = _decide(wanted_code="96")

    assert (refused.code, refused.account) == ("96", _ACCOUNT)
    assert _decide(cents=4001, wanted_code="00").code == "61"


def test_a_right_pin_restores_the_tries() -> None:
    """Two wrong ones, one right: three tries again."""
    account = _decide(_decide(pin="wrong").account, pin="wrong").account
    assert account.pin_tries_left == 1

    assert _decide(account).account.pin_tries_left == 3


def test_the_decks_cards_are_valid_numbers_of_their_own() -> None:
    """Each has a check digit, a unique key and a unique number."""
    assert len({card.pan for card in DECK}) == len({card.key for card in DECK}) == len(DECK)
    for card in DECK:
        digits = [int(digit) for digit in reversed(card.pan)]
        doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
        assert (sum(digits[0::2]) + doubled) % 10 == 0, card.key
