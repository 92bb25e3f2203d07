"""A terminal's screen, journal and script as JSON values, for control API and page."""

from typing import Any

from sandbox.gateway.response_codes import meaning
from sandbox.terminal.device.card import CardRead, masked
from sandbox.terminal.device.journal import Fate, Transaction, sum_cents
from sandbox.terminal.device.screen import Stage
from sandbox.terminal.gateway.bodies import OPERATIONS
from sandbox.terminal.server.server import VirtualTerminal
from shared.concert.decoded_answer import read_answer_code
from shared.concert.fields import Action

_WAITING = (Fate.STORED, Fate.SENT)


def state_of(terminal: VirtualTerminal) -> dict[str, Any]:
    """Return screen, script and settings."""
    screen = terminal.screen
    waiting = [one for one in terminal.memory.journal if one.fate in _WAITING]
    return {
        "stage": screen.stage,
        "operation": None if screen.action is None else operation_word(screen.action),
        "amount_cents": screen.amount_cents,
        "currency": None if screen.amount_cents is None else "EUR",
        "message": screen.message,
        "is_done": screen.is_done,
        "card": None if screen.card_read is None else card_of(screen.card_read),
        "pin_digits": len(screen.pin),
        "takes_card": screen.stage is Stage.CARD,
        "by_hand": terminal.by_hand,
        "delay_seconds": terminal.behaviour.delay_seconds,
        "amount_decides": terminal.behaviour.amount_decides,
        "script": [step.name for step in terminal.script],
        "address": terminal.address,
        "serial": terminal.device.serial,
        "merchant": terminal.device.merchant_name,
        "floor_limit_cents": terminal.device.floor_limit_cents,
        "has_gateway": terminal.has_gateway,
        "to_collect": {"count": len(waiting), "sum_cents": sum_cents(waiting)},
        "unsent_completions": terminal.unsent_completions,
    }


def journal_of(terminal: VirtualTerminal) -> list[dict[str, Any]]:
    """Return the transactions, the oldest first, cards masked."""
    return [transaction_of(one) for one in terminal.memory.journal]


def transaction_of(one: Transaction) -> dict[str, Any]:
    """Return one transaction."""
    return {
        "number": one.number,
        "at_ms": round(one.at.timestamp() * 1000),
        "operation": operation_word(one.action),
        "amount_cents": one.amount_cents,
        "currency": "EUR",
        "result": one.result,
        "fate": one.fate,
        "reference": one.reference,
        "card": None if one.card_read is None else card_of(one.card_read),
        "authorisation_number": None if one.authorisation is None else one.authorisation.number,
        "authorisation_code": None if one.authorisation is None else one.authorisation.code,
        "contract": one.contract,
        "rank": one.rank,
        "answer_code": one.answer_code,
        "reason": _reason(one.answer_code),
        "reverses": one.reverses,
        "batch": one.batch,
        "customer_receipt": one.customer_receipt,
        "merchant_receipt": one.merchant_receipt,
    }


def _reason(answer_code: str | None) -> str | None:
    """Return AF's text, with the bank's code where it has one; the field's columns cut longer ones."""
    code = read_answer_code(answer_code or "")
    if code is None or code.issuer_code is None:
        return None if code is None else code.text
    whole = meaning(code.issuer_code).upper()
    return f"{code.issuer_code} {whole if whole.startswith(code.text) else code.text}"


def card_of(card_read: CardRead) -> dict[str, str]:
    """Return a card with its number masked."""
    card = card_read.card
    return {
        "label": card.label,
        "brand": card.brand,
        "pan": masked(card.pan),
        "aid": card.aid,
        "mode": card_read.mode,
    }


def operation_word(action: str) -> str:
    """Return CD as `debit`, `credit` or `reversal`."""
    return OPERATIONS[Action(action)]
