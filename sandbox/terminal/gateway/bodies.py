"""What the terminal writes to its gateway, as JSON values. Pure.

The whole card number is in the question for an authorisation only; all else has it masked.
"""

from collections.abc import Iterable
from typing import Any

from sandbox.terminal.device.card import Presented, masked
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
    presented: Presented,
    behaviour: Behaviour,
    device: Device,
    *,
    address: str,
    reverses: Transaction | None,
) -> Body:
    """Return the body of `POST /authorisations`."""
    body = {
        "terminal": terminal_identity(device, request.text(f.POS_NUMBER), address),
        "reference": request.reference if behaviour.tells_gateway_reference else None,
        "contract": request.text(f.CONTRACT) or device.contract,
        "rank": device.rank,
        "application": presented.application,
        "operation": OPERATIONS[Action(request.action)],
        "amount_cents": request.amount_cents,
        "currency": "EUR",
        "card": {
            "pan": presented.card.pan,
            "expiry": presented.card.expiry,
            "brand": presented.card.brand,
            "aid": presented.card.aid,
            "mode": presented.mode,
        },
        "pin": _pin(request, presented, behaviour),
    }
    if reverses is not None:
        body["reverses"] = str(reverses.number)
    if behaviour.wanted_code is not None:
        body["test"] = {"wanted_code": behaviour.wanted_code}
    return body


def _pin(request: Request, presented: Presented, behaviour: Behaviour) -> str:
    if request.action != Action.DEBIT or presented.is_contactless:
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
    """Return which terminal it is: its serial number, the register's number, `host:port`."""
    return {"serial": device.serial, "pos_number": pos_number or "01", "address": address}


def transaction_body(transaction: Transaction) -> Body:
    """Return one transaction of the journal that was done."""
    presented = transaction.presented
    assert presented is not None
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
        "application": presented.application,
        "aid": presented.card.aid,
        "card": {
            "pan": masked(presented.card.pan),
            "brand": presented.card.brand,
            "mode": presented.mode,
        },
        "reverses": None if transaction.reverses is None else str(transaction.reverses),
        "at_ms": round(transaction.at.timestamp() * 1000),
        "receipt": transaction.customer_receipt,
    }
