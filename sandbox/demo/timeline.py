"""The way of payments as steps in time, made of what till, broker, database, workers and terminals recorded.

Nothing is added: a step is there because somebody wrote it down, at that somebody's time. All of them read
one clock, that of this machine, some in whole milliseconds; steps of the same millisecond are put in the
order in which they must have happened.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from sandbox.demo.broker_tap import Passed
from sandbox.demo.frames import NamedField, euros, masked_fields, named_fields
from sandbox.demo.stored import StoredEvent
from sandbox.demo.till import Call
from sandbox.terminal.device.ledger import Passage, SessionRecord


class Turn(IntEnum):
    """Which step comes first within a millisecond."""

    ASKED = 0
    ACCEPTED = 1
    PUBLISHED = 2
    DELIVERED = 3
    CLAIMED = 4
    REQUEST = 5
    #: Between the systems around us, before the till has its answer.
    PASSED = 6
    ANSWER = 7
    ENDED = 8
    REPLIED = 9
    WOKEN = 10
    TOLD = 11
    #: Between them, whatever becomes of the answer.
    AFTERWARDS = 12


@dataclass(frozen=True, slots=True)
class LineHeld:
    """A worker's log line: the terminal has another payment, this one waits."""

    at_ms: float
    worker: str
    payment_id: str


@dataclass(frozen=True, slots=True)
class Records:
    """What was recorded of some payments by everybody who took part."""

    calls: Sequence[Call]
    events: Sequence[StoredEvent]
    messages: Sequence[Passed]
    sessions: Sequence[SessionRecord]
    held: Sequence[LineHeld]
    #: A worker's id to its name here.
    workers: Mapping[str, str]
    #: A terminal's `address:port` to its name here.
    terminals: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Step:
    """Somebody told somebody something."""

    #: Milliseconds since the first till asked.
    after_ms: float
    turn: Turn
    sender: str
    receiver: str
    text: str
    #: Concert fields, where it was a frame.
    fields: tuple[NamedField, ...] = ()
    payment_id: str = ""
    #: In the picture of its flow, e.g. `2'`.
    number: str = ""


def begin_of(calls: Iterable[Call]) -> int:
    """Return when the first till asked, in whole milliseconds since 1970."""
    return math.floor(min(call.sent_at_ms for call in calls))


def in_order(steps: Iterable[Step]) -> list[Step]:
    """Return the steps as they happened; those of one turn and millisecond stay as they are."""
    return sorted(steps, key=lambda step: (math.floor(step.after_ms), step.turn, step.after_ms))


def steps_of(records: Records) -> list[Step]:
    """Return the steps of all these payments, in order."""
    begin = begin_of(records.calls)
    workers = _worker_of_each(records)
    return in_order(
        [
            *_calls(records.calls, begin),
            *_events(records, workers, begin),
            *_messages(records.messages, begin),
            *_sessions(records, workers, begin),
            *_held(records, begin),
        ]
    )


def _worker_of_each(records: Records) -> dict[str, str]:
    """Who claimed each payment; nobody else ends its session."""
    return {
        event.payment_id: records.workers.get(event.detail["worker"], "worker")
        for event in records.events
        if event.event == "claimed"
    }


def _calls(calls: Iterable[Call], begin: float) -> Iterable[Step]:
    for call in calls:
        yield Step(
            call.sent_at_ms - begin, Turn.ASKED, call.till, "API", _request(call), payment_id=call.payment_id
        )
        yield Step(
            call.answered_at_ms - begin,
            Turn.TOLD,
            "API",
            call.till,
            _answer(call),
            payment_id=call.payment_id,
        )


def _request(call: Call) -> str:
    order = call.order["order"]
    told = [f"POST order {call.order_id}: {order['transaction_type']} {euros(order['price']['amount'])}"]
    told += ["basket"] if "basket" in order else []
    told += ["customer"] if "customer" in call.order else []
    told += ["custom data"] if "custom_data" in order else []
    return ", ".join(told)


def _answer(call: Call) -> str:
    body = call.body
    if "paymentStatus" not in body:
        return f"{call.status} {body.get('error', {}).get('code', '')}"
    told = [f"{call.status} {body['paymentStatus']}"]
    if "errorCode" in body:
        told.append(f"errorCode {body['errorCode']} ({body['errorDescription']})")
    if body["receipt"]:
        told.append("receipt")
    if body["payment"]["replayed"]:
        told.append("replayed: true")
    return ", ".join(told)


def _events(records: Records, workers: Mapping[str, str], begin: float) -> Iterable[Step]:
    for event in records.events:
        payment_id = event.payment_id
        match event.event:
            case "accepted":
                turn, sender, text = Turn.ACCEPTED, "API", f"{payment_id} is stored: {event.state}"
            case "claimed":
                worker = records.workers.get(event.detail["worker"], "worker")
                terminal = records.terminals.get(
                    event.detail["terminal_address"], event.detail["terminal_address"]
                )
                turn, sender = Turn.CLAIMED, worker
                text = f"claims {terminal}, before any byte is sent: {event.state}"
            case "identified":
                turn, sender = Turn.ENDED, workers.get(payment_id, "worker")
                text = f"asked the terminal once whether it answers identifications: {event.detail['found']}"
            case "evidence":
                turn, sender = Turn.AFTERWARDS, "API"
                text = f"the gateway's evidence is stored, the payment is {event.state}"
            case _:
                turn, sender = Turn.ENDED, workers.get(payment_id, "worker")
                text = f"result is stored ({event.event.replace('_', ' ')}): {event.state}"
        yield Step(event.at - begin, turn, sender, "database", text, payment_id=payment_id)


def _messages(messages: Iterable[Passed], begin: float) -> Iterable[Step]:
    for message in messages:
        after, process, queue = message.at_ms - begin, message.process, message.queue
        match message.type, message.to_broker:
            case "payment", True:
                reply_to = f", reply to {message.reply_to}" if message.reply_to else ""
                text = f"into {queue}{reply_to}"
                # The API publishes before anybody claims; a worker publishes what waited for a freed line.
                turn = Turn.PUBLISHED if process == "API" else Turn.REPLIED
                yield Step(after, turn, process, "RabbitMQ", text, payment_id=message.payment_id)
            case "payment", False:
                text = f"delivers from {queue}"
                yield Step(after, Turn.DELIVERED, "RabbitMQ", process, text, payment_id=message.payment_id)
            case "notification", True:
                # An order is told of once it is accepted, a result once it is stored.
                turn = Turn.PUBLISHED if process == "API" else Turn.REPLIED
                yield Step(after, turn, process, "RabbitMQ", f"into {queue}", payment_id=message.payment_id)
            case "notification", False:
                text = f"delivers from {queue}"
                yield Step(after, Turn.WOKEN, "RabbitMQ", process, text, payment_id=message.payment_id)
            case _, True:
                text = f"into {queue}: there is a result"
                yield Step(after, Turn.REPLIED, process, "RabbitMQ", text, payment_id=message.payment_id)
            case _:
                text = "wakes the waiting call, which reads the stored row"
                yield Step(after, Turn.WOKEN, "RabbitMQ", process, text, payment_id=message.payment_id)


def _sessions(records: Records, workers: Mapping[str, str], begin: float) -> Iterable[Step]:
    lines = {
        event.payment_id: event.detail["terminal_address"]
        for event in records.events
        if event.event == "claimed"
    }
    for session in records.sessions:
        payment_id = session.reference or ""
        worker = workers.get(payment_id, "worker")
        line = lines.get(payment_id, "")
        terminal = records.terminals.get(line, "terminal")
        for direction in ("in", "out"):
            passages = [passage for passage in session.passages if passage.direction == direction]
            if not passages:
                continue
            data = bytes_of(passages)
            fields = named_fields(masked_fields(data))
            text = f"Concert, {len(data)} bytes, {len(fields)} fields"
            after = passages[0].at_ms - begin
            if direction == "in":
                yield Step(after, Turn.REQUEST, worker, terminal, text, fields, payment_id)
            else:
                yield Step(after, Turn.ANSWER, terminal, worker, text, fields, payment_id)


def bytes_of(passages: Iterable[Passage]) -> bytes:
    """Return the bytes of a ledger's passages, joined."""
    return "".join(passage.text for passage in passages).encode("latin-1")


def _held(records: Records, begin: float) -> Iterable[Step]:
    for held in records.held:
        worker = records.workers.get(held.worker, "worker")
        text = "finds the terminal held by the other payment: this one waits in the line"
        yield Step(held.at_ms - begin, Turn.CLAIMED, worker, "database", text, payment_id=held.payment_id)
