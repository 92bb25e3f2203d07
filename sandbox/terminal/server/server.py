"""The virtual terminal: a Concert server that plays one transaction at a time."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog

from sandbox.terminal.device.card import Presented
from sandbox.terminal.device.changes import Changes
from sandbox.terminal.device.device import DEFAULT_PORT, Device
from sandbox.terminal.device.ledger import Ledger, SessionRecord
from sandbox.terminal.device.screen import IDLE, RESTARTING, Key, Screen
from sandbox.terminal.device.transaction import (
    Answer,
    Memory,
    identify,
    reject,
    repeat_last,
    say_busy,
    tell_collection,
)
from sandbox.terminal.device.transaction_run import TransactionRun
from sandbox.terminal.gateway.collection import Collection, TerminalBusy, collect, collect_on_schedule
from sandbox.terminal.gateway.link import Gateway
from sandbox.terminal.gateway.outbox import Outbox
from sandbox.terminal.gateway.schedule import Schedule
from sandbox.terminal.script.behaviour import Behaviour, Fault
from sandbox.terminal.script.behaviour_selection import Choice
from sandbox.terminal.script.script import ScriptStep
from sandbox.terminal.server.answer_delivery import answer_bytes
from sandbox.terminal.server.request import COLLECTION, Request
from sandbox.terminal.server.session import Session
from sandbox.terminal.state import TerminalState
from sandbox.terminal.trace_events import Recorder, TraceEvents
from shared.concert.fields import Action

_log = structlog.get_logger()

__all__ = ["DEFAULT_PORT", "VirtualTerminal"]


class VirtualTerminal(Choice):
    """Listens between `__aenter__` and `__aexit__`; port 0 takes a free one, see `port`.

    `behaviour` is what happens in each transaction; `by_amount` (cents) has the word where it names the
    amount, and `choose` where it is given and returns one. All may be changed while the terminal runs; see
    `Choice` for what else decides.

    `gateway`: whom it asks for authorisations and sends collections; without one it plays the bank itself.
    `record` gets its hops in the sandbox's trace. `by_hand`: card and keys are pressed by somebody else, see
    `present`, `press` and `type_digit`. `record_path` gets one JSON line a session (see
    `sandbox.terminal.device.ledger`); `records` holds the last ones, running ones among them.
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
        gateway: Gateway | None = None,
        record: Recorder | None = None,
        by_hand: bool = False,
        schedule: Schedule | None = None,
        record_path: Path | None = None,
        kept_records: int = 10_000,
    ) -> None:
        super().__init__(behaviour, by_amount, choose)
        self.host = host
        self.port = port
        #: The host that `address` names, where it is not the one that is listened on.
        self.shown_host: str | None = None
        self.device = device or Device()
        self.records: deque[SessionRecord] = deque(maxlen=kept_records)
        self._terminal_state = TerminalState(
            device=self.device,
            hops=TraceEvents(record, self.device.serial),
            gateway=gateway,
            outbox=Outbox(gateway),
            by_hand=by_hand,
        )
        self._schedule = schedule or Schedule()
        self._ledger = Ledger(record_path)
        self._server: asyncio.Server | None = None
        self._sessions: set[Session] = set()
        self._waiting: deque[Session] = deque()
        self._play: TransactionRun | None = None
        self._all_closed: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "VirtualTerminal":
        self._ledger.__enter__()
        await self._listen()
        self._terminal_state.address = self.address
        if self._schedule.is_set:
            self._spawn(collect_on_schedule(self._schedule, self.collect))
        return self

    async def _listen(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Session(
                self.device, on_open=self._opened, on_request=self._begin, on_closed=self._closed
            ),
            self.host,
            self.port,
            backlog=256,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._terminal_state.outbox.close()
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
        self.changes.close()

    @property
    def address(self) -> str:
        """`host:port`, as people reach it."""
        return f"{self.shown_host or self.host}:{self.port}"

    @property
    def is_busy(self) -> bool:
        """An amount is on the screen."""
        return self._play is not None

    @property
    def memory(self) -> Memory:
        return self._terminal_state.memory

    @property
    def screen(self) -> Screen:
        return self._terminal_state.screen

    @property
    def changes(self) -> Changes:
        """For who watches the screen."""
        return self._terminal_state.changes

    @property
    def by_hand(self) -> bool:
        """Somebody acts as the customer; a change counts from the next transaction on."""
        return self._terminal_state.by_hand

    @property
    def has_gateway(self) -> bool:
        """Somebody else plays the bank."""
        return self._terminal_state.gateway is not None

    @property
    def untold_completions(self) -> int:
        """Completions that the gateway has not heard of yet."""
        return len(self._terminal_state.outbox)

    def present_card(self) -> None:
        """What is on the screen ends now, as its behaviour says; nothing happens where nothing is."""
        if self._play is not None:
            self._play.act()

    def present(self, presented: Presented) -> None:
        """This card is put in or held to it. Where the customer acts by itself, its PIN follows at once."""
        if self._play is None:
            return
        if self._play.by_hand:
            self._play.present(presented)
        else:
            self._play.act(presented)

    def type_digit(self, typed: str) -> None:
        """A digit of the PIN."""
        if self._play is not None:
            self._play.type_digit(typed)

    def press(self, key: Key) -> None:
        """One of the coloured keys."""
        if self._play is not None:
            self._play.press(key)

    def press_red_button(self) -> None:
        """The customer abandons what is on the screen; nothing happens where nothing is."""
        if self._play is not None:
            self._play.abandon()

    def set_up(
        self,
        *,
        by_hand: bool | None = None,
        delay_seconds: float | None = None,
        amount_decides: bool | None = None,
    ) -> None:
        """Change who acts as the customer, and how; from the next transaction on. None: as it is."""
        if delay_seconds is not None:
            self.behaviour = replace(self.behaviour, delay_seconds=delay_seconds)
        if amount_decides is not None:
            self.behaviour = replace(self.behaviour, amount_decides=amount_decides)
        if by_hand is not None:
            self._terminal_state.by_hand = by_hand
        self.changes.tell()

    def play_next(self, steps: Iterable[ScriptStep]) -> None:
        """Queue what the coming transactions do, one step each."""
        self.script.extend(steps)
        self.changes.tell()

    async def collect(self) -> Collection:
        """Run a remote collection now. Raises TerminalBusy."""
        try:
            return await collect(self._terminal_state)
        finally:
            self._let_next_in()

    def reset(self) -> None:
        """Forget journal, script and records, and give up what is on the screen. The terminal stays on.

        The numbers of transactions and batches go on: a gateway knows them by these.
        """
        play = self._play
        self._give_up_transaction()
        if play is not None and not play.session.is_closed:
            play.session.close()
        self.forget_script()
        self.records.clear()
        self._terminal_state.outbox.clear()
        before = self._terminal_state.memory
        self._terminal_state.memory = Memory(number=before.number, batch=before.batch)
        self._terminal_state.show(IDLE)

    def _opened(self, session: Session) -> None:
        self.records.append(session.record)
        others = bool(self._sessions) or self.is_busy
        self._sessions.add(session)
        if others and self.device.when_busy == "backlog":
            self._waiting.append(session)
            session.hold()
        else:
            session.greet(self.greeting())

    def _closed(self, session: Session) -> None:
        self._sessions.discard(session)
        if not session.has_asked:
            self.forget_unasked(session.greeting)
        if session in self._waiting:
            self._waiting.remove(session)
        if self._play is None or self._play.session is not session:
            self._ledger.write(session.record)
        self._let_next_in()
        if self._all_closed is not None and not self._sessions and not self._all_closed.done():
            self._all_closed.set_result(None)

    def _let_next_in(self) -> None:
        if self._waiting and not self.is_busy and len(self._sessions) == len(self._waiting):
            self._waiting.popleft().proceed()

    def _begin(self, session: Session, request: Request) -> None:
        if request.rejected_with is not None:
            rejected = reject(request, request.rejected_with, self.device)
            self._answer(session, "rejected", rejected, Behaviour())
        elif self.is_busy or not self._terminal_state.can_begin:
            self._answer(session, "busy", say_busy(request, self.device), Behaviour())
        elif request.action == COLLECTION:
            self._spawn(self._collect_as_asked(session, request))
        else:
            behaviour = self.behaviour_for(request)
            if behaviour.fault is Fault.BUSY:
                self._answer(session, "busy", say_busy(request, self.device), behaviour)
            elif request.action == Action.IDENTIFICATION:
                self._answer(session, "answered", identify(request, self.device), behaviour)
            elif request.action == Action.DUPLICATE:
                answer = repeat_last(request, self.memory, behaviour, self.device)
                self._answer(session, "answered", answer, behaviour)
            else:
                self._play = TransactionRun(
                    self._terminal_state, session, request, behaviour, on_end=self._ended, on_over=self._over
                )
                self._play.begin()

    def _ended(self) -> None:
        self._play = None

    def _over(self, play: TransactionRun) -> None:
        session = play.session
        if play.behaviour.fault is Fault.REBOOT and session.record.outcome == "given_up":
            self._spawn(self._reboot(play.behaviour.reboot_seconds))
        if session.is_closed:
            self._ledger.write(session.record)
            self._let_next_in()

    def _answer(self, session: Session, outcome: str, answer: Answer, behaviour: Behaviour) -> None:
        session.record.outcome = outcome
        session.write(answer_bytes(answer, behaviour), behaviour)

    async def _collect_as_asked(self, session: Session, request: Request) -> None:
        try:
            collection = await collect(self._terminal_state)
        except TerminalBusy:
            # Another one was asked for in the same moment, and began first.
            self._answer(session, "busy", say_busy(request, self.device), Behaviour())
            return
        answer = tell_collection(request, self.device, acknowledged=collection.acknowledged)
        self._answer(session, "answered", answer, self.behaviour)
        self._let_next_in()

    async def _reboot(self, seconds: float) -> None:
        """What the journal holds stays; connections and whoever listens do not."""
        assert self._server is not None
        self._terminal_state.show(RESTARTING)
        self._server.close()
        for session in list(self._sessions):
            session.reset()
        await asyncio.sleep(seconds)
        try:
            await self._listen()
        except OSError as error:
            _log.error("the terminal cannot listen again after its restart", error=str(error))
        self._terminal_state.show(IDLE)

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _give_up_transaction(self) -> None:
        play, self._play = self._play, None
        if play is None:
            return
        play.give_up()
        if play.session.is_closed:
            self._ledger.write(play.session.record)
