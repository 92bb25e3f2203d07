"""Terminal that behaves as real ones do: one transaction at a time, and every kind of bad answer."""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.terminal.device.device import Device
from sandbox.terminal.device.transaction import (
    Memory,
    answer_busy,
    earlier_answer,
    identify,
    perform,
    reject,
    repeat_last,
    take_into_account,
)
from sandbox.terminal.script.behaviour import Behaviour, Customer, EnquiryAnswer, Fault, PrivateData
from sandbox.terminal.server.answer_delivery import NOISE, answer_bytes
from sandbox.terminal.server.request import Request, check_request, is_whole
from shared.concert import fields as f
from shared.concert.decode import Decoder
from shared.concert.fields import Action
from tests.simulation.engine.stage import Stage
from tests.simulation.judge.ledger import Ledger, Written
from tests.simulation.model.network import Wire
from tests.simulation.model.profiles import drawn_profile

_DEVICE = Device(request_idle_seconds=0)
_UTC_START = datetime(2026, 9, 1, 8, tzinfo=UTC)
_FAULTS = (
    Fault.CLOSE_WITHOUT_ANSWER,
    Fault.SILENT,
    Fault.LOSE_ANSWER,
    Fault.LOSE_ANSWER,
    Fault.EARLIER_ANSWER,
    Fault.GARBAGE,
    Fault.IMMEDIATE,
)
WIRE_FAULTS = (
    "slow link",
    "request lost with its connection",
    "connection lost, request read",
    "connection lost, request read late",
    "answer lost, connection silent",
)


@dataclass(frozen=True)
class Kind:
    """Traits of a terminal that stay the same."""

    #: One connection at a time, the others hang unread; else they are answered busy.
    backlog: bool = False
    #: Enquiries are answered on a second connection while operations wait in the backlog.
    enquires_aside: bool = False
    #: Answers identifications.
    identifies: bool = True
    enquiry: EnquiryAnswer = "repeats"
    private_data: PrivateData = "echo"
    leaves_out: frozenset[str] = frozenset()
    keeps_open: bool = False
    #: Gives its transaction up when the cash register closes the connection.
    gives_up_on_close: bool = False
    #: A connection on which nothing is asked is closed after so long.
    request_seconds: float = 20.0
    #: From reading a request to its end.
    own_seconds: float = 45.0
    #: Later than our answer time-out, earlier than its own.
    late_from_seconds: float = 40.5
    #: As the merchants registered it; None: nobody did.
    profile: dict[str, Any] | None = None
    pos_number: str = "01"


def drawn_kind(rng: random.Random) -> Kind:
    backlog = rng.random() < 0.5
    profile = drawn_profile(rng) if rng.random() < 0.3 else None
    # A shorter time than the usual is a merchant's mistake.
    own_seconds = max(45.0, (profile or {}).get("terminal_time_seconds", 45.0))
    return Kind(
        backlog=backlog,
        enquires_aside=backlog and rng.random() < 0.3,
        identifies=rng.random() < 0.8,
        enquiry=rng.choice(("repeats", "repeats", "repeats", "copies", "refuses")),
        private_data=rng.choice(("echo", "echo", "echo", "none", "own", "own_on_success")),
        leaves_out=frozenset(tag for tag in (f.SOFTWARE_ID, f.POS_NUMBER, f.RECEIPT) if rng.random() < 0.2),
        keeps_open=rng.random() < 0.3,
        gives_up_on_close=rng.random() < 0.2,
        request_seconds=rng.choice((20.0, 20.0, 600.0)),
        own_seconds=own_seconds,
        profile=profile,
        pos_number=rng.choice(("01", "02")),
    )


class Terminal:
    """One device at one terminal address, with its customers."""

    def __init__(
        self, stage: Stage, ledger: Ledger, terminal_address: str, kind: Kind, rng: random.Random
    ) -> None:
        self.stage = stage
        self.terminal_address = terminal_address
        self.kind = kind
        self.is_down = False
        self._ledger = ledger
        self._rng = rng
        self._memory = Memory()
        self._backlog: deque[Wire] = deque()
        self._is_serving = False
        self._is_busy = False
        #: Raised by a reboot, after which earlier tasks send nothing.
        self._boots = 0
        self._reads_from = 0.0
        self.open_requests: list[Written] = []
        #: Next customers, and faults of the next connections, for placed histories.
        self.behaviours: deque[Behaviour] = deque()
        self.wire_faults: deque[str] = deque()
        #: Bytes that it writes at once on each of the next connections.
        self.greetings: deque[bytes] = deque()
        self.connect_seconds = 0.0
        #: True where some terminal's profile takes a first answer for the end: a name may bring it here.
        self.is_bare_success_around: Callable[[], bool] = lambda: False

    def goes_wrong(self) -> bool:
        return self._rng.random() < self.stage.faults.terminal / 2

    def wire_fault(self) -> str | None:
        """Return the fault of a request that is written now; None: it arrives."""
        if self.wire_faults:
            return self.wire_faults.popleft()
        return self._rng.choice(WIRE_FAULTS) if self.goes_wrong() else None

    def freeze(self, seconds: float) -> None:
        """Read nothing for so long; requests wait in the backlog."""
        self.stage.note("terminal reads nothing", self.terminal_address, seconds=round(seconds, 1))
        self._reads_from = self.stage.now + seconds

    def reboot(self, seconds: float) -> None:
        self.stage.note("terminal reboots", self.terminal_address, seconds=round(seconds, 1))
        self._boots += 1
        self.is_down = True
        self._is_busy = self._is_serving = False
        for wire in self._backlog:
            wire.end()
            if wire.request is not None:
                wire.request.is_over = True
        self._backlog.clear()
        for request in self.open_requests:
            request.is_over = True
            request.wire.end()
        self.open_requests.clear()

        def up() -> None:
            self.is_down = False

        self.stage.later(seconds, up)

    def accept(self, wire: Wire) -> None:
        if self.is_down:
            wire.end()
        elif self.kind.enquires_aside:
            self.stage.spawn(self._sort(wire))
        elif self.kind.backlog:
            self._queue(wire)
        else:
            self.stage.spawn(self._serve(wire, self._boots))

    def _queue(self, wire: Wire) -> None:
        self._backlog.append(wire)
        if not self._is_serving:
            self._is_serving = True
            self.stage.spawn(self._serve_backlog(self._boots))

    async def _sort(self, wire: Wire) -> None:
        boots = self._boots
        while wire.request is None and wire.is_open:
            await asyncio.sleep(0.05)
        if boots != self._boots or wire.request is None:
            wire.end()
        elif wire.request.action == Action.DUPLICATE:
            await self._serve(wire, boots, aside=True)
        else:
            self._queue(wire)

    async def _serve_backlog(self, boots: int) -> None:
        while self._backlog and boots == self._boots:
            await self._serve(self._backlog.popleft(), boots)
        if boots == self._boots:
            self._is_serving = False

    async def _serve(self, wire: Wire, boots: int, *, aside: bool = False) -> None:
        while not aside and self.stage.now < self._reads_from:
            await asyncio.sleep(self._reads_from - self.stage.now)
        request = await self._request(wire)
        if boots != self._boots:
            # It came while the terminal was down: lost with its connection.
            wire.end()
            if wire.request is not None:
                wire.request.is_over = True
            return
        if request is None:
            wire.end()
            if wire.request is not None:
                wire.request.is_over = True  # it comes too late to be read
            return
        assert wire.request is not None
        self.stage.note(
            "read", self.terminal_address, cd=request.action, payment=wire.request.payment_id or "-"
        )
        if request.is_operation and request.rejected_with is None and not self._is_busy:
            self._ledger.read(wire.request, self.stage.now)
            await self._transact(wire, wire.request, request, boots)
            return
        wire.request.is_over = True
        if request.action == Action.IDENTIFICATION and not self.kind.identifies:
            return
        self._send(wire, self._quick_answer(request, aside=aside), Behaviour(keeps_open=self.kind.keeps_open))

    def _quick_answer(self, request: Request, *, aside: bool) -> bytes:
        behaviour = Behaviour(enquiry=self.kind.enquiry, leaves_out=self.kind.leaves_out)
        if request.rejected_with is not None:
            answer = reject(request, request.rejected_with, _DEVICE)
        elif self._is_busy and not aside:
            answer = answer_busy(request, _DEVICE)
        elif request.action == Action.IDENTIFICATION:
            answer = identify(request, _DEVICE)
        else:
            answer = repeat_last(request, self._memory, behaviour, _DEVICE)
        return answer_bytes(answer, behaviour)

    async def _request(self, wire: Wire) -> Request | None:
        decoder = Decoder()
        try:
            async with asyncio.timeout(self.kind.request_seconds):
                while data := await wire.to_terminal.receive():
                    frame = decoder.feed(data)
                    if frame.error is not None or is_whole(frame):
                        return check_request(frame)
        except TimeoutError:
            pass
        return None

    def _behaviour(self) -> Behaviour:
        rng, kind = self._rng, self.kind
        if self.behaviours:
            return self.behaviours.popleft()
        behaviour = Behaviour(
            customer=rng.choices((Customer.APPROVE, Customer.REFUSE, Customer.ABANDON), (8, 1, 1))[0],
            delay_seconds=rng.uniform(0.5, 12),
            contactless=rng.random() < 0.5,
            refusal_code=rng.choice(("02", "04", "05", "07")),
            private_data=kind.private_data,
            leaves_out=kind.leaves_out,
            keeps_open=kind.keeps_open,
            pads_amount=rng.random() < 0.2,
        )
        if not self.goes_wrong():
            return behaviour
        kind_of_wrong = rng.randrange(10)
        if kind_of_wrong < 2:
            self.stage.faults.count("customer pays late")
            return replace(behaviour, delay_seconds=rng.uniform(kind.late_from_seconds, kind.own_seconds))
        if kind_of_wrong == 2:
            self.stage.faults.count("answer in pieces")
            return replace(
                behaviour, piece_bytes=rng.randint(1, 80), piece_pause_seconds=rng.choice((0.01, 0.4))
            )
        if kind_of_wrong == 3:
            self.stage.faults.count("ticket cut")
            return replace(behaviour, receipt_short_by=rng.randint(1, 3))
        if kind_of_wrong == 4:
            self.stage.faults.count("terminal rebooted")
            self.stage.later(rng.uniform(0.1, behaviour.delay_seconds + 2), self.reboot, rng.uniform(2, 15))
            return behaviour
        if kind_of_wrong == 5:
            self.stage.faults.count("partial amount")
            return replace(behaviour, paid_amount_cents=rng.randint(1, 99))
        fault = rng.choice(_FAULTS)
        if fault is Fault.IMMEDIATE and self.is_bare_success_around():
            return behaviour  # whoever registers that takes its first answer for the end
        self.stage.faults.count(f"terminal {fault}")
        return replace(behaviour, fault=fault)

    async def _transact(self, wire: Wire, note: Written, request: Request, boots: int) -> None:
        behaviour = self._behaviour()
        self._is_busy = True
        self.open_requests.append(note)
        if behaviour.fault is Fault.IMMEDIATE:
            self._send(wire, answer_bytes(take_into_account(request, _DEVICE), behaviour), behaviour)
        silent = behaviour.fault is Fault.SILENT
        await asyncio.sleep(self.kind.own_seconds if silent else behaviour.delay_seconds)
        if boots != self._boots:
            return
        self._is_busy = False
        self.open_requests.remove(note)
        note.is_over = True
        gave_up = self.kind.gives_up_on_close and wire.to_terminal.has_ended
        if gave_up or behaviour.fault in (Fault.CLOSE_WITHOUT_ANSWER, Fault.SILENT):
            wire.end()
            return
        before = self._memory
        done = perform(request, before, behaviour, _DEVICE, self._time())
        self._memory = done.memory
        if done.charged:
            amount = int(done.answer.get(f.AMOUNT, request.amount_cents))
            self.stage.note("charged", note.payment_id or "", amount=amount)
            self._ledger.charged(note, amount, self.stage.now)
        await self._tell(wire, behaviour, request, before, answer_bytes(done.answer, behaviour))

    async def _tell(
        self, wire: Wire, behaviour: Behaviour, request: Request, before: Memory, answer: bytes
    ) -> None:
        match behaviour.fault:
            case Fault.LOSE_ANSWER:
                wire.end()
            case Fault.IMMEDIATE:
                pass
            case Fault.GARBAGE:
                self._send(wire, NOISE, behaviour)
            case Fault.EARLIER_ANSWER if _differs(before, request):
                self._send(wire, answer_bytes(earlier_answer(before, request, _DEVICE), behaviour), behaviour)
            case _ if behaviour.piece_bytes:
                size = behaviour.piece_bytes
                for begin in range(0, len(answer), size):
                    wire.answer(answer[begin : begin + size])
                    await asyncio.sleep(behaviour.piece_pause_seconds)
                self._finish(wire, behaviour)
            case _:
                is_plain = not (
                    behaviour.paid_amount_cents or behaviour.receipt_short_by or self.kind.leaves_out
                )
                wire.has_answer = is_plain and self.kind.private_data == "echo"
                self._send(wire, answer, behaviour)

    def _send(self, wire: Wire, data: bytes, behaviour: Behaviour) -> None:
        wire.answer(data)
        self._finish(wire, behaviour)

    def _finish(self, wire: Wire, behaviour: Behaviour) -> None:
        if not behaviour.keeps_open or not wire.is_open:
            wire.end()

    def type_by_hand(self, amount_cents: int) -> None:
        """Carry out a sale that the merchant types without the cash register."""
        if self._is_busy or self.is_down:
            return
        request = Request({f.ACTION: Action.DEBIT, f.AMOUNT: f"{amount_cents:02d}", f.CURRENCY: f.EURO})
        self._memory = perform(request, self._memory, Behaviour(), _DEVICE, self._time()).memory
        self.stage.note("typed by hand", self.terminal_address, amount=amount_cents)

    def _time(self) -> datetime:
        return _UTC_START + timedelta(seconds=self.stage.now)


def _differs(before: Memory, request: Request) -> bool:
    """Return whether an earlier answer differs from ours in amount or reference.

    Neither can it where a lower amount is what a partial approval pays.
    """
    amount = int(before.last.get(f.AMOUNT, "0")) if before.last else 990
    if before.last and (before.last.get(f.PRIVATE_DATA) or "").startswith("pay_"):
        return True
    if request.fields.get(f.PARTIAL_PAYMENT) == "1" and amount < request.amount_cents:
        return False
    return amount != request.amount_cents
