"""What the terminal shows, and what a card or a key makes of it: a state machine without I/O or clock.

idle -> card -> pin -> authorisation -> ended; a debit with a card in the reader asks for the PIN, all others
go on at once. The red key abandons up to the PIN; while the bank is asked no key has a meaning.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from sandbox.cards import Mode
from sandbox.terminal.device.card import TEST_PIN, Presented
from shared.concert.fields import Action

PIN_TRIES: Final = 3
_LONGEST_PIN: Final = 12


class Stage(StrEnum):
    """What is on the screen."""

    IDLE = "idle"
    #: Amount and currency; a card is waited for.
    CARD = "card"
    PIN = "pin"
    #: The bank is asked.
    AUTHORISATION = "authorisation"
    #: The last transaction's result.
    ENDED = "ended"
    COLLECTION = "collection"
    RESTARTING = "restarting"


class Key(StrEnum):
    """The coloured keys."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


class Next(StrEnum):
    """What the terminal has to do after a card or a key."""

    #: Card and PIN are there: ask the bank or approve.
    DECIDE = "decide"
    ABANDON = "abandon"
    #: The PIN was wrong too often.
    BLOCK = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """The screen, and what was typed."""

    stage: Stage = Stage.IDLE
    #: CD of the transaction on the screen.
    action: str | None = None
    amount_cents: int | None = None
    presented: Presented | None = None
    pin: str = ""
    wrong_pins: int = 0
    #: In words, below the amount.
    message: str = "Ready"
    #: Of the transaction that ended; None on other screens.
    is_done: bool | None = None


Step = tuple[Screen, Next | None]

IDLE: Final = Screen()
COLLECTING: Final = Screen(stage=Stage.COLLECTION, message="Remote collection ...")
RESTARTING: Final = Screen(stage=Stage.RESTARTING, message="Restarting ...")


def woken(action: str, amount_cents: int) -> Screen:
    """Return the screen of a request that has just come."""
    return Screen(
        stage=Stage.CARD,
        action=action,
        amount_cents=amount_cents,
        message="Insert or hold your card",
    )


def present(screen: Screen, presented: Presented, *, contactless_limit_cents: int | None = None) -> Step:
    """A card is put in or held to it; `contactless_limit_cents` None: however much it is."""
    if screen.stage is not Stage.CARD:
        return screen, None
    if presented.is_contactless and not _may_be_held(screen, presented, contactless_limit_cents):
        return replace(screen, message="Please insert the card"), None
    screen = replace(screen, presented=presented)
    if screen.action == Action.DEBIT and not presented.is_contactless:
        return replace(screen, stage=Stage.PIN, message="Enter your PIN, then green"), None
    return screen, Next.DECIDE


def _may_be_held(screen: Screen, presented: Presented, limit_cents: int | None) -> bool:
    within = limit_cents is None or (screen.amount_cents or 0) <= limit_cents
    return Mode.CONTACTLESS in presented.card.modes and within


def digit(screen: Screen, typed: str) -> Screen:
    """A digit of the PIN; passed over on other screens."""
    if screen.stage is not Stage.PIN or len(screen.pin) == _LONGEST_PIN:
        return screen
    return replace(screen, pin=screen.pin + typed)


def press(screen: Screen, key: Key) -> Step:
    """One of the coloured keys: confirm, correct, abandon."""
    match key:
        case Key.RED if screen.stage in (Stage.CARD, Stage.PIN):
            return screen, Next.ABANDON
        case Key.YELLOW if screen.stage is Stage.PIN:
            return replace(screen, pin=""), None
        case Key.GREEN if screen.stage is Stage.PIN and screen.pin:
            return _check_pin(screen)
        case _:
            return screen, None


def _check_pin(screen: Screen) -> Step:
    if screen.pin == TEST_PIN:
        return replace(screen, pin="", message="PIN correct"), Next.DECIDE
    wrong = screen.wrong_pins + 1
    left = PIN_TRIES - wrong
    screen = replace(screen, pin="", wrong_pins=wrong, message=f"Wrong PIN, {left} left")
    return screen, None if left else Next.BLOCK


def asking(screen: Screen) -> Screen:
    """The bank is asked."""
    return replace(screen, stage=Stage.AUTHORISATION, message="Asking the bank ...")


def ended(screen: Screen, *, is_done: bool, message: str) -> Screen:
    """The transaction's result."""
    return replace(screen, stage=Stage.ENDED, pin="", is_done=is_done, message=message)
