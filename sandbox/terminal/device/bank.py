"""When the terminal asks for an authorisation, and what it answers itself without a gateway. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sandbox.gateway.accounts import Account, decide
from sandbox.terminal.device.card import Presented
from sandbox.terminal.device.device import Device
from sandbox.terminal.script.behaviour import Behaviour
from sandbox.terminal.server.request import Request
from shared.concert.fields import Action

_FIRST_NUMBER: Final = 184116


@dataclass(frozen=True, slots=True)
class Authorisation:
    """A bank's answer, approved or not."""

    approved: bool
    #: ISO 8583, field 39.
    code: str
    #: In words, for AF and receipt; empty where the code's own words do.
    message: str = ""
    #: AC: six digits.
    number: str | None = None
    #: The gateway's id of it; None where the terminal answered itself.
    id: str | None = None


def asks_authorisation(request: Request, presented: Presented, behaviour: Behaviour, device: Device) -> bool:
    """Tell whether this debit goes to the bank: the request, the amount, the card or the script wants it."""
    return request.action == Action.DEBIT and (
        request.forces_authorisation
        or request.amount_cents > device.floor_limit_cents
        or presented.card.always_online
        or behaviour.issuer_code is not None
    )


def authorise_alone(
    request: Request, number: int, presented: Presented, behaviour: Behaviour, at: datetime
) -> Authorisation:
    """Answer as the card's bank. A refused payment has a number, too: the question was asked."""
    decision = decide(
        Account.of_card(presented.card),
        "debit",
        request.amount_cents,
        pin="none" if presented.is_contactless else "ok",
        month=at.strftime("%y%m"),
        wanted_code=behaviour.issuer_code,
    )
    printed = f"{(_FIRST_NUMBER + number) % 1_000_000:06d}"
    return Authorisation(decision.approved, decision.code, number=printed)
