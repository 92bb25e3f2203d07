"""How a transaction ends: the customer's card and the bank's answer, judged. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sandbox.cards import Mode, card_of_key
from sandbox.gateway import response_codes
from sandbox.terminal.device.bank import Authorisation, asks_authorisation, authorise_alone
from sandbox.terminal.device.card import Presented, card_numbered
from sandbox.terminal.device.device import Device
from sandbox.terminal.device.journal import Journal, Result, reversible_debit
from sandbox.terminal.script.answer_codes import answer_code_of
from sandbox.terminal.script.behaviour import Behaviour, Customer, Fault
from sandbox.terminal.server.request import Request
from shared.concert import fields as f
from shared.concert.fields import Action

_ISSUER_TEXT_LENGTH: Final = 21


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What is known when a transaction ends."""

    result: Result = "done"
    presented: Presented | None = None
    authorisation: Authorisation | None = None
    #: AF's two digits; None where it was done.
    refused_with: str | None = None
    #: The bank's code and words, where it was the bank that refused.
    issuer_code: str | None = None
    issuer_text: str = ""

    @property
    def answer_code(self) -> str | None:
        """AF. A bank's refusal fills the fixed columns of card applications: code, message, four blanks."""
        if self.refused_with is None:
            return None
        if self.issuer_code is None:
            return self.refused_with + f.ANSWER_CODES.get(self.refused_with, "").upper()
        text = self.issuer_text[:_ISSUER_TEXT_LENGTH]
        return f"{self.refused_with}{self.issuer_code}{text:<{_ISSUER_TEXT_LENGTH}}    "

    @property
    def reason(self) -> str | None:
        """The bank's reason, as a line of the receipt."""
        return None if self.issuer_code is None else f"{self.issuer_code} {self.issuer_text}".strip()


ABANDONED: Final = Ending(result="abandoned", refused_with="06")
WALKED_AWAY: Final = Ending(result="walked_away", refused_with="08")


def pin_blocked(presented: Presented) -> Ending:
    """Return the end after the last wrong PIN: the chip's own refusal, no bank is asked."""
    return _refused(Ending(presented=presented), response_codes.TOO_MANY_PINS)


def usual_card(behaviour: Behaviour, device: Device, request: Request) -> Presented:
    """Return the card that a customer presents who is told nothing else, in the way that was asked for."""
    card = card_of_key(behaviour.card) if behaviour.card is not None else None
    card = card or card_numbered(device.card_number)
    usual = Mode.CONTACTLESS if behaviour.contactless else Mode.CONTACT
    asked = (mode for mode in card.modes if card.application(mode) == request.application)
    return Presented(card, next(asked, usual))


def wrong_application(request: Request, presented: Presented) -> Ending | None:
    """Return the end where the card cannot be used as the register asks; None: it can."""
    if request.application in (None, presented.application):
        return None
    return Ending(result="refused", presented=presented, refused_with="10")


def played_out(
    request: Request,
    journal: Journal,
    number: int,
    behaviour: Behaviour,
    device: Device,
    at: datetime,
    presented: Presented | None = None,
) -> Ending:
    """Return the end as the behaviour wants it, without anybody to ask: the terminal plays the bank, too."""
    if behaviour.customer is Customer.ABANDON:
        return ABANDONED
    if behaviour.fault is Fault.WALK_AWAY:
        return WALKED_AWAY
    presented = presented or usual_card(behaviour, device, request)
    wrong = wrong_application(request, presented)
    if wrong is not None:
        return wrong
    authorisation = None
    if asks_authorisation(request, presented, behaviour, device):
        authorisation = authorise_alone(request, number, presented, behaviour, at)
    return decided(request, journal, behaviour, presented, authorisation)


def decided(
    request: Request,
    journal: Journal,
    behaviour: Behaviour,
    presented: Presented,
    authorisation: Authorisation | None,
) -> Ending:
    """Return the end where the card was read and the bank, if it was asked, has answered."""
    ending = Ending(presented=presented, authorisation=authorisation)
    if request.action == Action.REVERSAL and (
        reversible_debit(journal, request.amount_cents, presented.card.pan) is None
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
    # It ends on a ticket and in a field of fixed columns: capitals in ASCII.
    plain = (message or response_codes.meaning(code)).upper().encode("ascii", "replace").decode("ascii")
    return replace(
        ending,
        result="refused",
        refused_with=answer_code_of(code),
        issuer_code=code,
        issuer_text=plain,
    )
