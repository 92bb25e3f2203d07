"""The terminal's screen as a state machine of cards and keys. Pure.

idle -> card -> pin -> authorisation -> ended; a debit with an inserted card asks for the PIN, all others skip
it. The red key abandons up to the PIN; while the bank is asked no key has an effect.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from sandbox.cards import Mode
from sandbox.terminal.device.card import TEST_PIN, CardRead
from shared.concert.fields import Action

PIN_TRIES: Final = 3
_LONGEST_PIN: Final = 12


class Stage(StrEnum):
    """Stage of the screen."""

    IDLE = "idle"
    #: Amount and currency; the terminal waits for a card.
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
    """The terminal's next step after a card or a key."""

    #: Card and PIN were read: ask the bank or approve.
    DECIDE = "decide"
    ABANDON = "abandon"
    #: Too many wrong PINs.
    BLOCK = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """The screen with the typed PIN."""

    stage: Stage = Stage.IDLE
    #: CD of the transaction on the screen.
    action: str | None = None
    amount_cents: int | None = None
    card_read: CardRead | None = None
    pin: str = ""
    wrong_pins: int = 0
    #: Text below the amount.
    message: str = "Ready"
    #: Result of the ended transaction; None at other stages.
    is_done: bool | None = None


Step = tuple[Screen, Next | None]

IDLE: Final = Screen()
COLLECTING: Final = Screen(stage=Stage.COLLECTION, message="Remote collection ...")
RESTARTING: Final = Screen(stage=Stage.RESTARTING, message="Restarting ...")


def woken(action: str, amount_cents: int) -> Screen:
    """Return the screen of a new request."""
    return Screen(
        stage=Stage.CARD,
        action=action,
        amount_cents=amount_cents,
        message="Insert or tap your card",
    )


def present(screen: Screen, card_read: CardRead, *, contactless_limit_cents: int | None = None) -> Step:
    """Return the screen after a card was presented; `contactless_limit_cents` None: without limit."""
    if screen.stage is not Stage.CARD:
        return screen, None
    if card_read.is_contactless and not _may_be_tapped(screen, card_read, contactless_limit_cents):
        return replace(screen, message="Please insert the card"), None
    screen = replace(screen, card_read=card_read)
    if screen.action == Action.DEBIT and not card_read.is_contactless:
        return replace(screen, stage=Stage.PIN, message="Enter your PIN, then green"), None
    return screen, Next.DECIDE


def _may_be_tapped(screen: Screen, card_read: CardRead, limit_cents: int | None) -> bool:
    within = limit_cents is None or (screen.amount_cents or 0) <= limit_cents
    return Mode.CONTACTLESS in card_read.card.modes and within


def digit(screen: Screen, typed: str) -> Screen:
    """Return the screen with one more digit of the PIN; ignored at other stages."""
    if screen.stage is not Stage.PIN or len(screen.pin) == _LONGEST_PIN:
        return screen
    return replace(screen, pin=screen.pin + typed)


def press(screen: Screen, key: Key) -> Step:
    """Return the screen after a coloured key: confirm, correct, abandon."""
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
    """Return the screen while the bank is asked."""
    return replace(screen, stage=Stage.AUTHORISATION, message="Asking the bank ...")


def ended(screen: Screen, *, is_done: bool, message: str) -> Screen:
    """Return the screen of a result."""
    return replace(screen, stage=Stage.ENDED, pin="", is_done=is_done, message=message)
