"""The screen's state machine: cards and keys."""

import pytest

from sandbox.cards import DECK, Mode
from sandbox.terminal.device.card import TEST_PIN, CardRead
from sandbox.terminal.device.screen import (
    IDLE,
    PIN_TRIES,
    Key,
    Next,
    Screen,
    Stage,
    asking,
    digit,
    ended,
    present,
    press,
    woken,
)
from shared.concert.fields import Action

INSERTED = CardRead(DECK[0])
HELD = CardRead(DECK[0], Mode.CONTACTLESS)
WITHOUT_ANTENNA = next(card for card in DECK if card.modes == (Mode.CONTACT,))


def typed(screen: Screen, digits: str) -> Screen:
    for one in digits:
        screen = digit(screen, one)
    return screen


def at_pin() -> Screen:
    screen, what_next = present(woken(Action.DEBIT, 2500), INSERTED)
    assert what_next is None
    assert screen.stage is Stage.PIN
    return screen


def test_a_debit_by_chip_asks_for_the_pin_and_goes_on_with_the_right_one() -> None:
    """Card, four digits, green."""
    screen, what_next = press(typed(at_pin(), TEST_PIN), Key.GREEN)

    assert what_next is Next.DECIDE
    assert screen.card_read == INSERTED
    assert screen.pin == ""


@pytest.mark.parametrize(
    ("action", "card_read"),
    [(Action.DEBIT, HELD), (Action.CREDIT, INSERTED), (Action.REVERSAL, INSERTED)],
    ids=["debit contactless", "credit", "reversal"],
)
def test_all_others_need_no_pin(action: Action, card_read: CardRead) -> None:
    """A card that is held to the terminal, a credit, a reversal."""
    assert present(woken(action, 2500), card_read)[1] is Next.DECIDE


def test_a_card_is_to_be_inserted_above_the_contactless_limit_or_without_an_antenna() -> None:
    """The amount stays on the screen."""
    above, nothing = present(woken(Action.DEBIT, 5001), HELD, contactless_limit_cents=5000)
    no_antenna = present(woken(Action.DEBIT, 100), CardRead(WITHOUT_ANTENNA, Mode.CONTACTLESS))[0]

    assert nothing is None
    for screen in (above, no_antenna):
        assert (screen.stage, screen.message) == (Stage.CARD, "Please insert the card")
    assert present(woken(Action.DEBIT, 5000), HELD, contactless_limit_cents=5000)[1] is Next.DECIDE


def test_a_wrong_pin_may_be_corrected_until_the_tries_are_used_up() -> None:
    """Yellow empties the line; the last wrong one blocks."""
    screen = press(typed(at_pin(), "9"), Key.YELLOW)[0]
    assert screen.pin == ""
    for left in range(PIN_TRIES - 1, 0, -1):
        screen, what_next = press(typed(screen, "0000"), Key.GREEN)
        assert (what_next, screen.message) == (None, f"Wrong PIN, {left} left")

    assert press(typed(screen, "0000"), Key.GREEN)[1] is Next.BLOCK


def test_the_red_key_abandons_until_the_bank_is_asked() -> None:
    """Not while it is asked, and not on an idle screen."""
    waiting = woken(Action.DEBIT, 2500)

    assert press(waiting, Key.RED)[1] is Next.ABANDON
    assert press(at_pin(), Key.RED)[1] is Next.ABANDON
    assert press(asking(waiting), Key.RED)[1] is None
    assert press(IDLE, Key.RED)[1] is None


@pytest.mark.parametrize("key", list(Key))
def test_keys_and_cards_without_an_effect_change_nothing(key: Key) -> None:
    """On the idle screen, and after the end."""
    for screen in (IDLE, ended(woken(Action.DEBIT, 2500), is_done=True, message="Approved")):
        assert press(screen, key) == (screen, None)
        assert present(screen, INSERTED) == (screen, None)
        assert digit(screen, "1") == screen


def test_a_pin_is_at_most_twelve_digits() -> None:
    """Further digits are ignored."""
    assert typed(at_pin(), "1" * 20).pin == "1" * 12
