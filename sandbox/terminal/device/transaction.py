"""The terminal's answer to a request, from its memory. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Final

from sandbox.terminal.device.card import CardRead
from sandbox.terminal.device.device import Device
from sandbox.terminal.device.journal import Fate, Journal, Transaction, reversible_debit, with_transaction
from sandbox.terminal.device.receipts import card_shown, receipt_text
from sandbox.terminal.device.result import Ending, decide_alone
from sandbox.terminal.script.behaviour import Behaviour
from sandbox.terminal.server.request import Request
from shared.concert import fields as f
from shared.concert.encode import encode_fields
from shared.concert.fields import Action, Status
from shared.concert.receipt import encode_receipt

OWN_PRIVATE_DATA: Final = "1010000000"
#: The order of HiPay's terminals (V3.2), with the fields that they leave out before the receipt.
ANSWER_ORDER: Final = (
    *("CZ", "CJ", "CA", "CB", "CC", "CD", "CE"),
    *("AC", "AE", "AF", "CF", "CG"),
    *("AA", "AI", "CI"),
    "ZT",
)
#: Echoed from the request into every answer.
_ECHOED: Final = (f.SOFTWARE_ID, f.POS_NUMBER, f.AMOUNT, f.ACTION, f.CURRENCY)

Answer = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Memory:
    """The terminal's memory from one transaction to the next."""

    #: Number of the last transaction.
    number: int = 0
    #: The transactions, oldest first.
    journal: Journal = ()
    #: Number of the last batch that was sent.
    batch: int = 0
    #: The last transaction's fields, with its receipt, wanted or not.
    last: Answer = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Done:
    """An ended transaction with its answer and the memory after it."""

    answer: Answer
    memory: Memory
    transaction: Transaction

    @property
    def charged(self) -> bool:
        """Return whether money moved: for a debit, whether the card was charged."""
        return self.transaction.result == "done"


def perform(
    request: Request,
    memory: Memory,
    behaviour: Behaviour,
    device: Device,
    at: datetime,
    ending: Ending | None = None,
) -> Done:
    """Carry out a debit, credit or reversal; `at` is the time on the receipt.

    ending: None: the behaviour decides, with the terminal as the bank.
    """
    number = memory.number + 1
    if ending is None:
        ending = decide_alone(request, memory.journal, number, behaviour, device, at)
    transaction = _transaction(request, memory, behaviour, device, at, number, ending)
    fields = _fields(request, behaviour, device, transaction)
    journal = with_transaction(memory.journal, transaction)
    remembered = Memory(number, journal, memory.batch, MappingProxyType(fields))
    left_out = behaviour.leaves_out if request.wants_receipt else behaviour.leaves_out | {f.RECEIPT}
    return Done(_ordered(fields, left_out), remembered, transaction)


def _transaction(
    request: Request,
    memory: Memory,
    behaviour: Behaviour,
    device: Device,
    at: datetime,
    number: int,
    ending: Ending,
) -> Transaction:
    done = ending.result == "done"
    amount = _paid_amount(request, behaviour)
    undone = None
    if done and request.action == Action.REVERSAL and ending.card_read is not None:
        undone = reversible_debit(memory.journal, amount, ending.card_read.card.pan)
    contract = request.text(f.CONTRACT) or device.contract
    receipt = partial(
        receipt_text,
        device,
        action=request.action,
        amount_cents=amount,
        number=number,
        at=at,
        card_read=ending.card_read,
        contract=contract,
        authorisation_number=ending.authorisation.number if ending.authorisation else None,
        done=done,
        reason=ending.reason,
    )
    return Transaction(
        number=number,
        at=at,
        action=request.action,
        amount_cents=amount,
        result=ending.result,
        fate=_fate(request, done),
        reference=request.reference,
        gateway_reference=request.reference if behaviour.sends_gateway_reference else None,
        pos_number=request.text(f.POS_NUMBER),
        card_read=ending.card_read,
        authorisation=ending.authorisation,
        contract=contract,
        rank=device.rank,
        answer_code=ending.answer_code,
        reverses=None if undone is None else undone.number,
        customer_receipt=receipt(copy="customer"),
        merchant_receipt=receipt(copy="merchant"),
    )


def _fate(request: Request, done: bool) -> Fate:
    if not done:
        return Fate.NOTHING
    return Fate.REVERSED if request.action == Action.REVERSAL else Fate.STORED


def _fields(
    request: Request, behaviour: Behaviour, device: Device, transaction: Transaction
) -> dict[str, str]:
    done = transaction.result == "done"
    receipt = encode_receipt(transaction.customer_receipt)
    fields = _echo(request, device) | {
        f.AMOUNT: _amount(request, transaction.amount_cents, behaviour),
        f.STATUS: Status.DONE if done else Status.NOT_DONE,
        f.CONTRACT: request.fields.get(f.CONTRACT) or transaction.contract,
        f.RECEIPT: encode_fields([("CK", "100"), ("AK", receipt)]).decode("ascii"),
    }
    if transaction.answer_code is not None:
        fields[f.ANSWER_CODE] = transaction.answer_code
    if transaction.authorisation is not None and transaction.authorisation.number is not None:
        fields[f.AUTHORISATION_NUMBER] = transaction.authorisation.number
    if transaction.card_read is not None:
        fields |= _card_fields(transaction.card_read, device)
    private_data = _private_data(request, behaviour, done)
    if private_data is not None:
        fields[f.PRIVATE_DATA] = private_data
    return fields


def identify(request: Request, device: Device) -> Answer:
    """Return the answer of an identification."""
    return _ordered(_echo(request, device) | {f.STATUS: Status.DONE})


def answer_collection(request: Request, device: Device, *, acknowledged: bool) -> Answer:
    """Return the answer of a remote collection (CD B): done where the gateway acknowledged it."""
    if acknowledged:
        return _ordered(_echo(request, device) | {f.STATUS: Status.DONE})
    return reject(request, "07", device)


def answer_busy(request: Request, device: Device) -> Answer:
    """Return the answer of a request during another transaction: not done, without a reason."""
    return _ordered(_echo(request, device) | {f.STATUS: Status.NOT_DONE})


def reject(request: Request, code: str, device: Device) -> Answer:
    """Return the answer of a request that cannot be read or done."""
    return _ordered(_echo(request, device) | {f.STATUS: Status.NOT_DONE, f.ANSWER_CODE: code})


def take_into_account(request: Request, device: Device) -> Answer:
    """Return the answer before any card: taken into account where the request has BA 1, else done."""
    status = Status.TAKEN_INTO_ACCOUNT if request.wants_answer_at_once else Status.DONE
    return _ordered(_echo(request, device) | {f.STATUS: status})


def repeat_last(request: Request, memory: Memory, behaviour: Behaviour, device: Device) -> Answer:
    """Return the answer of an enquiry (CD 3): its status is the enquiry's, its receipt the transaction's."""
    if behaviour.enquiry == "copies":
        return _ordered(dict(request.fields) | {f.STATUS: Status.DONE})
    if behaviour.enquiry == "refuses" or not memory.last:
        return reject(request, "07", device)
    repeated = {tag: value for tag, value in memory.last.items() if tag != f.ANSWER_CODE}
    repeated |= {f.STATUS: Status.DONE, f.SOFTWARE_ID: request.fields.get(f.SOFTWARE_ID, "")}
    left_out = behaviour.leaves_out if request.wants_receipt else behaviour.leaves_out | {f.RECEIPT}
    return _ordered(repeated, left_out)


def earlier_answer(memory: Memory, request: Request, device: Device) -> Answer:
    """Return the previous transaction's answer; without one, that of a sale of 9.90 euros."""
    if memory.last:
        return _ordered(memory.last)
    return _ordered(
        _echo(request, device)
        | {f.AMOUNT: "990", f.STATUS: Status.DONE, f.CONTRACT: device.contract, f.APPLICATION: "001"}
    )


def _echo(request: Request, device: Device) -> dict[str, str]:
    echoed = {tag: request.fields[tag] for tag in _ECHOED if tag in request.fields}
    return {f.PROTOCOL_VERSION: device.version} | echoed


def _paid_amount(request: Request, behaviour: Behaviour) -> int:
    if behaviour.paid_amount_cents is None or request.action != Action.DEBIT:
        return request.amount_cents
    return min(behaviour.paid_amount_cents, request.amount_cents)


def _card_fields(card_read: CardRead, device: Device) -> dict[str, str]:
    fields = {f.APPLICATION: card_read.application}
    if device.sends_card_fields:
        fields[f.CARD_NUMBER] = card_shown(card_read, device)
        fields[f.AID] = card_read.card.aid
        fields[f.READ_MODE] = card_read.read_mode
    return fields


def _private_data(request: Request, behaviour: Behaviour, done: bool) -> str | None:
    match behaviour.private_data:
        case "none":
            return None
        case "own":
            return OWN_PRIVATE_DATA
        case "own_on_success" if done:
            return OWN_PRIVATE_DATA
        case _:
            return request.fields.get(f.PRIVATE_DATA)


def _amount(request: Request, cents: int, behaviour: Behaviour) -> str:
    if behaviour.pads_amount:
        return f"{cents:012d}"
    return request.fields[f.AMOUNT] if cents == request.amount_cents else f"{cents:02d}"


def _ordered(fields: Answer, left_out: frozenset[str] = frozenset()) -> Answer:
    kept = {tag: value for tag, value in fields.items() if tag not in left_out}
    return {tag: kept[tag] for tag in ANSWER_ORDER if tag in kept} | kept
