"""What the terminal does with a request: pure, from request and memory to answer and memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final

from sandbox.terminal.behaviour import Behaviour, Customer
from sandbox.terminal.device import Device
from sandbox.terminal.request import Request
from sandbox.terminal.ticket import card_shown, ticket_text
from shared.concert import fields as f
from shared.concert.encode import encode_fields
from shared.concert.fields import Action, Status
from shared.concert.receipt import encode_ticket

AID: Final = "A0000000421010"
OWN_PRIVATE_DATA: Final = "1010000000"
#: The order of HiPay's terminals (V3.2), with what they leave out before the ticket.
ANSWER_ORDER: Final = (
    *("CZ", "CJ", "CA", "CB", "CC", "CD", "CE"),
    *("AC", "AE", "AF", "CF", "CG"),
    *("AA", "AI", "CI"),
    "ZT",
)
_REMEMBERED_DEBITS: Final = 1000
#: Echoed from the request into every answer.
_ECHOED: Final = (f.SOFTWARE_ID, f.REGISTER_NUMBER, f.AMOUNT, f.ACTION, f.CURRENCY)

Answer = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Memory:
    """What a terminal remembers from one transaction to the next."""

    #: Number of the last transaction.
    number: int = 0
    #: Amounts in cents of debits that were done and not reversed, newest last.
    debits: tuple[int, ...] = ()
    #: The last transaction's fields, its ticket among them, asked for or not.
    last: Answer = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Done:
    """A transaction's end."""

    answer: Answer
    memory: Memory
    #: Money moved: for a debit the card was charged.
    charged: bool


def perform(request: Request, memory: Memory, behaviour: Behaviour, device: Device, at: datetime) -> Done:
    """Carry out a debit, credit or reversal as the customer wants it; `at` is the time on the ticket."""
    number = memory.number + 1
    paid = _paid_amount(request, behaviour)
    code = _refusal(request, memory, behaviour)
    done = code is None
    uses_card = behaviour.customer is not Customer.ABANDON
    authorisation = _authorisation_number(request, number, device) if uses_card else None
    ticket = ticket_text(
        device,
        action=request.action,
        amount_cents=paid,
        number=number,
        at=at,
        contactless=behaviour.contactless,
        aid=AID,
        authorisation_number=authorisation,
        done=done,
    )
    fields = _echo(request, device) | {
        f.AMOUNT: _amount(paid, behaviour),
        f.STATUS: Status.DONE if done else Status.NOT_DONE,
        f.CONTRACT: device.contract,
        f.TICKET: encode_fields([("CK", "100"), ("AK", encode_ticket(ticket))]).decode("ascii"),
    }
    if code is not None:
        fields[f.COMPLEMENT] = code + f.ANSWER_CODES.get(code, "").upper()
    if authorisation is not None:
        fields[f.AUTHORISATION_NUMBER] = authorisation
    if uses_card:
        fields |= _card_fields(behaviour, device)
    private_data = _private_data(request, behaviour, done)
    if private_data is not None:
        fields[f.PRIVATE_DATA] = private_data
    remembered = Memory(number, _debits_after(request, memory, done, paid), MappingProxyType(fields))
    left_out = behaviour.leaves_out if request.wants_ticket else behaviour.leaves_out | {f.TICKET}
    return Done(_ordered(fields, left_out), remembered, done)


def identify(request: Request, device: Device) -> Answer:
    """Answer a ping."""
    return _ordered(_echo(request, device) | {f.STATUS: Status.DONE})


def say_busy(request: Request, device: Device) -> Answer:
    """Answer a request that comes while another transaction runs: not done, without a reason."""
    return _ordered(_echo(request, device) | {f.STATUS: Status.NOT_DONE})


def reject(request: Request, code: str, device: Device) -> Answer:
    """Answer a request that cannot be read or done."""
    return _ordered(_echo(request, device) | {f.STATUS: Status.NOT_DONE, f.COMPLEMENT: code})


def take_into_account(request: Request, device: Device) -> Answer:
    """Answer as a terminal in immediate mode: done, before any card."""
    return _ordered(_echo(request, device) | {f.STATUS: Status.DONE})


def repeat_last(request: Request, memory: Memory, behaviour: Behaviour, device: Device) -> Answer:
    """Answer an enquiry (CD 3). Its status is about the enquiry, the ticket about the transaction."""
    if behaviour.enquiry == "copies":
        return _ordered(dict(request.fields) | {f.STATUS: Status.DONE})
    if behaviour.enquiry == "refuses" or not memory.last:
        return reject(request, "07", device)
    repeated = {tag: value for tag, value in memory.last.items() if tag != f.COMPLEMENT}
    repeated |= {f.STATUS: Status.DONE, f.SOFTWARE_ID: request.fields.get(f.SOFTWARE_ID, "")}
    left_out = behaviour.leaves_out if request.wants_ticket else behaviour.leaves_out | {f.TICKET}
    return _ordered(repeated, left_out)


def earlier_answer(memory: Memory, request: Request, device: Device) -> Answer:
    """Return the answer of the transaction before; without one, that of a sale of 9.90 euros."""
    if memory.last:
        return _ordered(memory.last)
    return _ordered(
        _echo(request, device)
        | {f.AMOUNT: "990", f.STATUS: Status.DONE, f.CONTRACT: device.contract, f.APPLICATION: "001"}
    )


def _echo(request: Request, device: Device) -> dict[str, str]:
    echoed = {tag: request.fields[tag] for tag in _ECHOED if tag in request.fields}
    return {f.PROTOCOL_VERSION: device.version} | echoed


def _refusal(request: Request, memory: Memory, behaviour: Behaviour) -> str | None:
    if behaviour.customer is Customer.ABANDON:
        return "06"
    if request.action == Action.REVERSAL and request.amount_cents not in memory.debits:
        return "07"
    return behaviour.refusal_code if behaviour.customer is Customer.REFUSE else None


def _paid_amount(request: Request, behaviour: Behaviour) -> int:
    if behaviour.paid_amount_cents is None or request.action != Action.DEBIT:
        return request.amount_cents
    return min(behaviour.paid_amount_cents, request.amount_cents)


def _debits_after(request: Request, memory: Memory, done: bool, paid: int) -> tuple[int, ...]:
    if not done or request.action == Action.CREDIT:
        return memory.debits
    if request.action == Action.DEBIT:
        return (*memory.debits, paid)[-_REMEMBERED_DEBITS:]
    newest = len(memory.debits) - 1 - memory.debits[::-1].index(request.amount_cents)
    return memory.debits[:newest] + memory.debits[newest + 1 :]


def _authorisation_number(request: Request, number: int, device: Device) -> str | None:
    """A refused payment has one, too: the question was asked."""
    if request.action != Action.DEBIT:
        return None
    if not request.forces_authorisation and request.amount_cents <= device.floor_limit_cents:
        return None
    return f"{(184116 + number) % 1_000_000:06d}"


def _card_fields(behaviour: Behaviour, device: Device) -> dict[str, str]:
    fields = {f.APPLICATION: "00B" if behaviour.contactless else "001"}
    if device.sends_card_fields:
        fields[f.CARD_NUMBER] = card_shown(device)
        fields[f.AID] = AID
        fields[f.READ_MODE] = "2" if behaviour.contactless else "1"
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
            return request.reference


def _amount(cents: int, behaviour: Behaviour) -> str:
    return f"{cents:012d}" if behaviour.pads_amount else f"{cents:02d}"


def _ordered(fields: Answer, left_out: frozenset[str] = frozenset()) -> Answer:
    kept = {tag: value for tag, value in fields.items() if tag not in left_out}
    return {tag: kept[tag] for tag in ANSWER_ORDER if tag in kept} | kept
