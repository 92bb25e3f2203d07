"""A card that the terminal has read, and its masked number."""

from dataclasses import dataclass, replace
from typing import Final

from sandbox.cards import DECK, Brand, Card, Mode, card_of_pan

#: The PIN of every card of the deck.
TEST_PIN: Final = "1234"
#: The card application's name on a receipt.
_APPLICATION_NAMES: Final = {
    Brand.CB: "CB",
    Brand.VISA: "VISA CREDIT",
    Brand.MASTERCARD: "MASTERCARD",
    Brand.AMERICAN_EXPRESS: "AMEX",
}


@dataclass(frozen=True, slots=True)
class CardRead:
    """A card and the way in which it was read."""

    card: Card
    mode: Mode = Mode.CONTACT

    @property
    def is_contactless(self) -> bool:
        return self.mode is Mode.CONTACTLESS

    @property
    def application(self) -> str:
        """Return CC."""
        return self.card.application(self.mode)

    @property
    def read_mode(self) -> str:
        """Return CI."""
        return "2" if self.is_contactless else "1"

    @property
    def application_name(self) -> str:
        return _APPLICATION_NAMES[self.card.brand]


def masked(number: str) -> str:
    """Return a card number with all but the first six and the last four digits masked."""
    return f"{number[:6]}{'*' * (len(number) - 10)}{number[-4:]}"


def card_numbered(number: str) -> Card:
    """Return the deck's card of this number, or a valid CB card with it."""
    return card_of_pan(number) or replace(DECK[0], key="own", pan=number)
