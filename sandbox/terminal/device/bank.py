"""Rule by which a terminal asks for an authorisation, and its own answer without a gateway. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sandbox.gateway.accounts import Account, decide
from sandbox.terminal.device.card import CardRead
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
