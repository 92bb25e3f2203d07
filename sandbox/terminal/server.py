"""The virtual terminal: a Concert server that plays one transaction at a time."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final

from sandbox.terminal.behaviour import Behaviour, Customer, Fault
from sandbox.terminal.delivery import NOISE, answer_bytes
from sandbox.terminal.device import Device
from sandbox.terminal.ledger import Ledger, SessionRecord
from sandbox.terminal.request import Request
from sandbox.terminal.session import Session
from sandbox.terminal.transaction import (
    Answer,
    Memory,
    earlier_answer,
    identify,
    perform,
    reject,
    repeat_last,
    say_busy,
    take_into_account,
)
from shared.concert.fields import Action

DEFAULT_PORT: Final = 8888
_NOTHING_HAPPENS: Final = frozenset({Fault.CLOSE_WITHOUT_ANSWER, Fault.RESET, Fault.SILENT})


@dataclass(slots=True)
class _Transaction:
    """What is shown on the screen: it goes on when its connection is lost."""

    session: Session
    request: Request
    behaviour: Behaviour
    timer: asyncio.TimerHandle | None = None


class VirtualTerminal:
    """Listens between `__aenter__` and `__aexit__`; port 0 takes a free one, see `port`.

    `behaviour` is what happens in each transaction; `by_amount` (cents) has the word where it names the
    amount, and `choose` where it is given and returns one. All three may be changed while the terminal runs.
    `record_path` gets one JSON line a session (see `sandbox.terminal.ledger`); `records` holds the last ones,
    running ones among them.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        *,
        behaviour: Behaviour | None = None,
        by_amount: Mapping[int, Behaviour] | None = None,
        choose: Callable[[Request], Behaviour | None] | None = None,
        device: Device | None = None,
        record_path: Path | None = None,
        kept_records: int = 10_000,
    ) -> None:
        self.host = host
        self.port = port
        self.behaviour = behaviour or Behaviour()
        self.by_amount = dict(by_amount or {})
        self.choose = choose
        self.device = device or Device()
        self.memory = Memory()
        self.records: deque[SessionRecord] = deque(maxlen=kept_records)
        self._ledger = Ledger(record_path)
        self._server: asyncio.Server | None = None
        self._sessions: set[Session] = set()
        self._waiting: deque[Session] = deque()
        self._transaction: _Transaction | None = None
        self._all_closed: asyncio.Future[None] | None = None

    async def __aenter__(self) -> "VirtualTerminal":
        self._ledger.__enter__()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Session(
                self.device, on_open=self._opened, on_request=self._begin, on_closed=self._closed
            ),
            self.host,
            self.port,
            backlog=256,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self._give_up_transaction()
        self._waiting.clear()
        if self._sessions:
            self._all_closed = asyncio.get_running_loop().create_future()
            for session in self._sessions:
                session.abort()
            await self._all_closed
        await self._server.wait_closed()
        self._ledger.__exit__(kind, error, trace)

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{self.host}:{self.port}"

    @property
    def is_busy(self) -> bool:
        """An amount is on the screen."""
        return self._transaction is not None

    def present_card(self) -> None:
        """What is on the screen ends now, as its behaviour says; nothing happens where nothing is."""
        if self.is_busy:
            self._end_transaction()

    def press_red_button(self) -> None:
        """The customer abandons what is on the screen; nothing happens where nothing is."""
        running = self._transaction
        if running is not None:
            running.behaviour = replace(running.behaviour, customer=Customer.ABANDON, fault=None)
            self._end_transaction()

    def _opened(self, session: Session) -> None:
        self.records.append(session.record)
        others = bool(self._sessions) or self.is_busy
        self._sessions.add(session)
        if others and self.device.when_busy == "backlog":
            self._waiting.append(session)
            session.hold()

    def _closed(self, session: Session) -> None:
        self._sessions.discard(session)
        if session in self._waiting:
            self._waiting.remove(session)
        if self._transaction is None or self._transaction.session is not session:
            self._ledger.write(session.record)
        self._let_next_in()
        if self._all_closed is not None and not self._sessions and not self._all_closed.done():
            self._all_closed.set_result(None)

    def _let_next_in(self) -> None:
        if self._waiting and not self.is_busy and len(self._sessions) == len(self._waiting):
            self._waiting.popleft().proceed()

    def _behaviour_for(self, request: Request) -> Behaviour:
        chosen = self.choose(request) if self.choose is not None else None
        if chosen is None and request.is_operation:
            chosen = self.by_amount.get(request.amount_cents)
        return chosen or self.behaviour

    def _begin(self, session: Session, request: Request) -> None:
        if request.rejected_with is not None:
            self._answer(
                session, "rejected", reject(request, request.rejected_with, self.device), Behaviour()
            )
        elif self.is_busy:
            self._answer(session, "busy", say_busy(request, self.device), Behaviour())
        else:
            behaviour = self._behaviour_for(request)
            if request.action == Action.IDENTIFICATION:
                self._answer(session, "answered", identify(request, self.device), behaviour)
            elif request.action == Action.DUPLICATE:
                answer = repeat_last(request, self.memory, behaviour, self.device)
                self._answer(session, "answered", answer, behaviour)
            else:
                self._begin_transaction(session, request, behaviour)

    def _begin_transaction(self, session: Session, request: Request, behaviour: Behaviour) -> None:
        self._transaction = running = _Transaction(session, request, behaviour)
        if behaviour.fault is Fault.IMMEDIATE:
            session.write(answer_bytes(take_into_account(request, self.device), behaviour), behaviour)
        is_silent = behaviour.fault is Fault.SILENT
        delay = self.device.terminal_time_seconds if is_silent else behaviour.delay_seconds
        if delay:
            running.timer = asyncio.get_running_loop().call_later(delay, self._end_transaction)
        else:
            self._end_transaction()

    def _end_transaction(self) -> None:
        running = self._transaction
        assert running is not None
        if running.timer is not None:
            running.timer.cancel()
        self._transaction = None
        session, behaviour = running.session, running.behaviour
        if behaviour.fault in _NOTHING_HAPPENS:
            session.record.outcome = "given_up"
            self._end_without_answer(session, behaviour)
        else:
            self._carry_out(running)
        if session.is_closed:
            self._ledger.write(session.record)
            self._let_next_in()

    def _carry_out(self, running: _Transaction) -> None:
        session, request, behaviour = running.session, running.request, running.behaviour
        before = self.memory
        done = perform(request, before, behaviour, self.device, datetime.now().astimezone())
        self.memory = done.memory
        session.record.charged = done.charged
        session.record.outcome = "done" if done.charged else _not_done(behaviour)
        match behaviour.fault:
            case Fault.EARLIER_ANSWER:
                session.write(
                    answer_bytes(earlier_answer(before, request, self.device), behaviour), behaviour
                )
            case Fault.GARBAGE:
                session.write(NOISE, behaviour)
            case Fault.LOSE_ANSWER:
                self._end_without_answer(session, behaviour)
            case None:
                session.write(answer_bytes(done.answer, behaviour), behaviour)

    def _end_without_answer(self, session: Session, behaviour: Behaviour) -> None:
        if session.is_closed:
            return
        if behaviour.fault is Fault.RESET:
            session.reset()
        else:
            session.close()

    def _answer(self, session: Session, outcome: str, answer: Answer, behaviour: Behaviour) -> None:
        session.record.outcome = outcome
        session.write(answer_bytes(answer, behaviour), behaviour)

    def _give_up_transaction(self) -> None:
        running, self._transaction = self._transaction, None
        if running is None:
            return
        if running.timer is not None:
            running.timer.cancel()
        running.session.record.outcome = "given_up"
        if running.session.is_closed:
            self._ledger.write(running.session.record)


def _not_done(behaviour: Behaviour) -> str:
    return "abandoned" if behaviour.customer is Customer.ABANDON else "refused"
