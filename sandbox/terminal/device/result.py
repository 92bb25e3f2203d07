"""Ending of a transaction, decided by card, bank's answer and behaviour. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sandbox.cards import Mode, card_of_key
from sandbox.gateway import response_codes
from sandbox.terminal.device.card import (
    Authorisation,
    CardRead,
    asks_authorisation,
    authorise_alone,
    card_numbered,
)
from sandbox.terminal.device.device import Device
from sandbox.terminal.device.journal import Journal, Result, reversible_debit
from sandbox.terminal.script.behaviour import Behaviour, Customer, Fault
from sandbox.terminal.script.outcomes import answer_code_of
from sandbox.terminal.server.request import Request
from shared.concert import fields as f
from shared.concert.fields import Action

_ISSUER_TEXT_LENGTH: Final = 21


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The ending of a transaction: its result with card, authorisation and refusal."""

    result: Result = "done"
    card_read: CardRead | None = None
    authorisation: Authorisation | None = None
    #: AF's two digits; None where it was done.
    refused_with: str | None = None
    #: The bank's code and message, where the bank refused.
    issuer_code: str | None = None
    issuer_text: str = ""

    @property
    def answer_code(self) -> str | None:
        """Return AF; a bank's refusal has the fixed columns of cards: code, message, four blanks."""
        if self.refused_with is None:
            return None
        if self.issuer_code is None:
            return self.refused_with + f.ANSWER_CODES.get(self.refused_with, "").upper()
        text = self.issuer_text[:_ISSUER_TEXT_LENGTH]
        return f"{self.refused_with}{self.issuer_code}{text:<{_ISSUER_TEXT_LENGTH}}    "

    @property
    def reason(self) -> str | None:
        """Return the bank's reason, a line of the receipt."""
        return None if self.issuer_code is None else f"{self.issuer_code} {self.issuer_text}".strip()


ABANDONED: Final = Ending(result="abandoned", refused_with="06")
WALKED_AWAY: Final = Ending(result="walked_away", refused_with="08")


def pin_blocked(card_read: CardRead) -> Ending:
    """Return the ending after the last wrong PIN: the chip refuses, no bank is asked."""
    return _refused(Ending(card_read=card_read), response_codes.TOO_MANY_PINS)


def usual_card(behaviour: Behaviour, device: Device, request: Request) -> CardRead:
    """Return the card that the customer presents by default, read as the request's application wants."""
    card = card_of_key(behaviour.card) if behaviour.card is not None else None
    card = card or card_numbered(device.card_number)
    usual = Mode.CONTACTLESS if behaviour.contactless else Mode.CONTACT
    asked = (mode for mode in card.modes if card.application(mode) == request.application)
    return CardRead(card, next(asked, usual))


def wrong_application(request: Request, card_read: CardRead) -> Ending | None:
    """Return the ending of a card that lacks the request's application; None: it has it."""
    if request.application in (None, card_read.application):
        return None
    return Ending(result="refused", card_read=card_read, refused_with="10")


def decide_alone(
    request: Request,
    journal: Journal,
    number: int,
    behaviour: Behaviour,
    device: Device,
    at: datetime,
    card_read: CardRead | None = None,
) -> Ending:
    """Return the ending by the behaviour, with the terminal as the bank."""
    if behaviour.customer is Customer.ABANDON:
        return ABANDONED
    if behaviour.fault is Fault.WALK_AWAY:
        return WALKED_AWAY
    card_read = card_read or usual_card(behaviour, device, request)
    wrong = wrong_application(request, card_read)
    if wrong is not None:
        return wrong
    authorisation = None
    if asks_authorisation(request, card_read, behaviour, device):
        authorisation = authorise_alone(request, number, card_read, behaviour, at)
    return decide_ending(request, journal, behaviour, card_read, authorisation)


def decide_ending(
    request: Request,
    journal: Journal,
    behaviour: Behaviour,
    card_read: CardRead,
    authorisation: Authorisation | None,
) -> Ending:
    """Return the ending after the card was read and the bank, if asked, has answered."""
    ending = Ending(card_read=card_read, authorisation=authorisation)
    if request.action == Action.REVERSAL and (
        reversible_debit(journal, request.amount_cents, card_read.card.pan) is None
    ):
        return replace(ending, result="refused", refused_with="07")
    if authorisation is not None and not authorisation.approved:
        refused = _refused(ending, authorisation.code, authorisation.message)
        if behaviour.issuer_code is None and authorisation.code == behaviour.wanted_code:
            return replace(refused, refused_with=behaviour.refusal_code)
        return refused
    if behaviour.customer is Customer.REFUSE:
        if behaviour.issuer_code is not None:
            return _refused(ending, behaviour.issuer_code)
        return replace(ending, result="refused", refused_with=behaviour.refusal_code)
    return ending


def _refused(ending: Ending, code: str, message: str = "") -> Ending:
    # For the receipt and a field of fixed columns: ASCII capitals.
    plain = (message or response_codes.meaning(code)).upper().encode("ascii", "replace").decode("ascii")
    return replace(
        ending,
        result="refused",
        refused_with=answer_code_of(code),
        issuer_code=code,
        issuer_text=plain,
    )
