"""Bodies of the terminal's requests to its gateway, as JSON values. Pure.

The whole card number is in an authorisation's request only; all others have it masked.
"""

from collections.abc import Iterable
from typing import Any

from sandbox.terminal.device.card import CardRead, masked
from sandbox.terminal.device.device import Device
from sandbox.terminal.device.journal import Transaction, sum_cents
from sandbox.terminal.script.behaviour import Behaviour
from sandbox.terminal.server.request import Request
from shared.concert import fields as f
from shared.concert.fields import Action

OPERATIONS = {Action.DEBIT: "debit", Action.CREDIT: "credit", Action.REVERSAL: "reversal"}
Body = dict[str, Any]


def authorisation_question(
    request: Request,
    card_read: CardRead,
    behaviour: Behaviour,
    device: Device,
    *,
    address: str,
    reverses: Transaction | None,
) -> Body:
    """Return the body of `POST /authorisations`."""
    body = {
        "terminal": terminal_identity(device, request.text(f.POS_NUMBER), address),
        "reference": request.reference if behaviour.sends_gateway_reference else None,
        "contract": request.text(f.CONTRACT) or device.contract,
        "rank": device.rank,
        "application": card_read.application,
        "operation": OPERATIONS[Action(request.action)],
        "amount_cents": request.amount_cents,
        "currency": "EUR",
        "card": {
            "pan": card_read.card.pan,
            "expiry": card_read.card.expiry,
            "brand": card_read.card.brand,
            "aid": card_read.card.aid,
            "mode": card_read.mode,
        },
        "pin": _pin(request, card_read, behaviour),
    }
    if reverses is not None:
        body["reverses"] = str(reverses.number)
    if behaviour.wanted_code is not None:
        body["test"] = {"wanted_code": behaviour.wanted_code}
    return body


def _pin(request: Request, card_read: CardRead, behaviour: Behaviour) -> str:
    if request.action != Action.DEBIT or card_read.is_contactless:
        return "none"
    return "wrong" if behaviour.issuer_code == "55" else "ok"


def completion(transaction: Transaction, device: Device, address: str) -> Body:
    """Return the body of `POST /completions`."""
    return {
        "terminal": terminal_identity(device, transaction.pos_number, address),
        "reference": transaction.gateway_reference,
        "transaction": transaction_body(transaction),
    }


def collection(batch: int, transactions: Iterable[Transaction], device: Device, address: str) -> Body:
    """Return the body of `POST /collections`."""
    transactions = list(transactions)
    return {
        "terminal": terminal_identity(device, None, address),
        "batch": batch,
        "count": len(transactions),
        "sum_cents": sum_cents(transactions),
        "transactions": [transaction_body(transaction) for transaction in transactions],
    }


def terminal_identity(device: Device, pos_number: str | None, address: str) -> Body:
    """Return the terminal's serial number, its POS number, and `host:port`."""
    return {"serial": device.serial, "pos_number": pos_number or "01", "address": address}


def transaction_body(transaction: Transaction) -> Body:
    """Return a done transaction of the journal."""
    card_read = transaction.card_read
    assert card_read is not None
    authorisation = transaction.authorisation
    return {
        "id": str(transaction.number),
        "reference": transaction.gateway_reference,
        "pos_number": transaction.pos_number,
        "operation": OPERATIONS[Action(transaction.action)],
        "amount_cents": transaction.amount_cents,
        "currency": "EUR",
        "approved": True,
        "authorisation_id": None if authorisation is None else authorisation.id,
        "authorisation_number": None if authorisation is None else authorisation.number,
        "contract": transaction.contract,
        "rank": transaction.rank,
        "application": card_read.application,
        "aid": card_read.card.aid,
        "card": {
            "pan": masked(card_read.card.pan),
            "brand": card_read.card.brand,
            "mode": card_read.mode,
        },
        "reverses": None if transaction.reverses is None else str(transaction.reverses),
        "at_ms": round(transaction.at.timestamp() * 1000),
        "receipt": transaction.customer_receipt,
    }
