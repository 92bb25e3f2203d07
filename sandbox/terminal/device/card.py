"""A card that the terminal has read, and the bank's answer about it without a gateway. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sandbox.cards import DECK, Brand, Card, Mode, card_of_pan
from sandbox.gateway.accounts import Account, decide
from sandbox.terminal.device.device import Device
from sandbox.terminal.script.behaviour import Behaviour
from sandbox.terminal.server.request import Request
from shared.concert.fields import Action

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


_FIRST_NUMBER: Final = 184116


@dataclass(frozen=True, slots=True)
class Authorisation:
    """A bank's answer, approved or not."""

    approved: bool
    #: ISO 8583, field 39.
    code: str
    #: Human-readable, for AF and receipt; empty: the code's usual meaning.
    message: str = ""
    #: AC: six digits.
    number: str | None = None
    #: The gateway's id; None where the terminal answered itself.
    id: str | None = None


def asks_authorisation(request: Request, card_read: CardRead, behaviour: Behaviour, device: Device) -> bool:
    """Return whether this debit needs an authorisation: by request, amount, card or script."""
    return request.action == Action.DEBIT and (
        request.forces_authorisation
        or request.amount_cents > device.floor_limit_cents
        or card_read.card.always_online
        or behaviour.issuer_code is not None
    )


def authorise_alone(
    request: Request, number: int, card_read: CardRead, behaviour: Behaviour, at: datetime
) -> Authorisation:
    """Return the answer of the card's bank; a refusal has an authorisation number, too."""
    decision = decide(
        Account.of_card(card_read.card),
        "debit",
        request.amount_cents,
        pin="none" if card_read.is_contactless else "ok",
        month=at.strftime("%y%m"),
        wanted_code=behaviour.issuer_code,
    )
    printed = f"{(_FIRST_NUMBER + number) % 1_000_000:06d}"
    return Authorisation(decision.approved, decision.code, number=printed)
