"""The receipts of a transaction, line by line as HiPay's terminals print them."""

import hashlib
from datetime import datetime
from typing import Literal

from sandbox.terminal.device.card import CardRead, masked
from sandbox.terminal.device.device import Device
from shared.concert.fields import Action

Copy = Literal["customer", "merchant"]

_NAMES = {Action.DEBIT: "DEBIT", Action.CREDIT: "CREDIT", Action.REVERSAL: "ANNULATION"}
_FOR_WHOM: dict[Copy, str] = {"customer": "TICKET CLIENT", "merchant": "TICKET COMMERCANT"}
_SYSTEM_NUMBER = "005"
_FILE_NUMBER = "001"


def receipt_text(
    device: Device,
    *,
    action: str,
    amount_cents: int,
    number: int,
    at: datetime,
    card_read: CardRead | None,
    contract: str,
    authorisation_number: str | None,
    done: bool,
    reason: str | None,
    copy: Copy,
) -> str:
    """Return a copy of one transaction's receipt.

    A refused one has `ABANDON` after the place, the bank's reason where there is one, and no final operation
    line. Without a card the card's lines are missing.
    """
    name = _NAMES[Action(action)]
    lines = [
        *_card_lines(card_read),
        at.strftime("Le %d/%m/%Y a %H:%M:%S"),
        device.merchant_name,
        device.merchant_place,
        None if done else f"ABANDON {name}",
        reason,
        f"{contract} {device.siret} {device.bank_code}",
        None if card_read is None else card_shown(card_read, device),
        None if card_read is None else _certificate(card_read, contract, number, amount_cents),
        f"{_SYSTEM_NUMBER} {_FILE_NUMBER} {number:06d}{_reading(card_read)}",
        None if authorisation_number is None else f"NUM AUTO : {authorisation_number}",
        "MONTANT :",
        f"{amount_cents // 100},{amount_cents % 100:02d} EUR",
        name if done else None,
        _FOR_WHOM[copy],
        "A CONSERVER",
    ]
    return "\n".join(line for line in lines if line is not None)


def card_shown(card_read: CardRead, device: Device) -> str:
    """Return the card number as the terminal shows it: masked, unless it is set to show it."""
    number = card_read.card.pan
    return number if device.shows_full_card_number else masked(number)


def _card_lines(card_read: CardRead | None) -> list[str | None]:
    if card_read is None:
        return ["CARTE BANCAIRE"]
    return [
        card_read.card.scheme,
        "SANS CONTACT" if card_read.is_contactless else None,
        card_read.card.aid,
        card_read.application_name,
    ]


def _reading(card_read: CardRead | None) -> str:
    if card_read is None:
        return ""
    return " C @" if card_read.is_contactless else " C"


def _certificate(card_read: CardRead, contract: str, number: int, amount_cents: int) -> str:
    """Return 16 hex digits, the same for the same transaction."""
    seed = f"{card_read.card.pan} {contract} {number} {amount_cents}"
    # A letter every few digits: a certificate must not look like a card number.
    digest = hashlib.sha256(seed.encode("utf-8")).hexdigest().upper()
    return f"{digest[:5]}A{digest[5:10]}C{digest[10:14]}"
