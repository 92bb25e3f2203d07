"""The customer's ticket, line by line as HiPay's terminals print it."""

import hashlib
from datetime import datetime

from sandbox.terminal.device import Device
from shared.concert.fields import Action

_NAMES = {Action.DEBIT: "DEBIT", Action.CREDIT: "CREDIT", Action.REVERSAL: "ANNULATION"}
_SYSTEM_NUMBER = "005"
_FILE_NUMBER = "001"


def ticket_text(
    device: Device,
    *,
    action: str,
    amount_cents: int,
    number: int,
    at: datetime,
    contactless: bool,
    aid: str,
    authorisation_number: str | None,
    done: bool,
) -> str:
    """Return the ticket of one transaction. A refused one has `ABANDON` after the place and no final word."""
    name = _NAMES[Action(action)]
    lines = [
        "CARTE BANCAIRE",
        "SANS CONTACT" if contactless else None,
        aid,
        "CB",
        at.strftime("Le %d/%m/%Y a %H:%M:%S"),
        device.merchant_name,
        device.merchant_place,
        None if done else f"ABANDON {name}",
        f"{device.contract} {device.siret} {device.bank_code}",
        card_shown(device),
        _certificate(device, number, amount_cents),
        f"{_SYSTEM_NUMBER} {_FILE_NUMBER} {number:06d} C{' @' if contactless else ''}",
        None if authorisation_number is None else f"NUM AUTO : {authorisation_number}",
        "MONTANT :",
        f"{amount_cents // 100},{amount_cents % 100:02d} EUR",
        name if done else None,
        "TICKET CLIENT",
        "A CONSERVER",
    ]
    return "\n".join(line for line in lines if line is not None)


def card_shown(device: Device) -> str:
    """Return the card number as the terminal shows it: masked, unless it is set to show it."""
    number = device.card_number
    return number if device.shows_full_card_number else f"{number[:6]}{'*' * (len(number) - 10)}{number[-4:]}"


def _certificate(device: Device, number: int, amount_cents: int) -> str:
    """16 hex digits, the same for the same transaction."""
    seed = f"{device.card_number} {device.contract} {number} {amount_cents}"
    # A letter every few digits: a certificate must not look like a card number.
    digest = hashlib.sha256(seed.encode("utf-8")).hexdigest().upper()
    return f"{digest[:5]}A{digest[5:10]}C{digest[10:14]}"
