"""The virtual terminal: a Concert server with one transaction at a time."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog

from sandbox.terminal.device.controls import TerminalControls
from sandbox.terminal.device.device import DEFAULT_PORT, Device
from sandbox.terminal.device.screen import IDLE, RESTARTING
from sandbox.terminal.device.session_log import SessionLog, SessionRecord
from sandbox.terminal.device.transaction import (
    Answer,
    Memory,
    answer_busy,
    answer_collection,
    identify,
    reject,
    repeat_last,
)
from sandbox.terminal.device.transaction_run import TransactionRun
from sandbox.terminal.gateway.collection import (
    Collection,
    Schedule,
    TerminalBusy,
    collect,
    collect_on_schedule,
)
from sandbox.terminal.gateway.link import CompletionQueue, Gateway
from sandbox.terminal.script.behaviour import Behaviour, Fault
from sandbox.terminal.server.answer_delivery import answer_bytes
from sandbox.terminal.server.request import COLLECTION, Request
from sandbox.terminal.server.session import Session
from sandbox.terminal.state import TerminalState
from sandbox.terminal.trace_events import Recorder, TraceEvents
from shared.concert.fields import Action

_log = structlog.get_logger()


class VirtualTerminal(TerminalControls):
    """A terminal that listens between `__aenter__` and `__aexit__`; port 0 takes a free one, see `port`.

    behaviour, by_amount, choose: see `BehaviourSelection`; they may be changed while the terminal runs.
    gateway: answers authorisations and takes collections; None: the terminal acts as the bank.
    record: gets the terminal's trace events.
    by_hand: somebody acts as the customer, by `present`, `press` and `type_digit`.
    record_path: file that gets one JSON line a session (see `sandbox.terminal.device.session_log`); `records`
    holds the last sessions, running ones included.
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
        self.device = device or Device()
        state = TerminalState(
            device=self.device,
            trace_events=TraceEvents(record, self.device.serial),
            gateway=gateway,
            completions=CompletionQueue(gateway),
            by_hand=by_hand,
        )
        super().__init__(state, behaviour, by_amount, choose)
        self.host = host
        self.port = port
        #: Host in `address`; None: `host`.
        self.shown_host: str | None = None
        self.records: deque[SessionRecord] = deque(maxlen=kept_records)
        self._schedule = schedule or Schedule()
        self._session_log = SessionLog(record_path)
        self._server: asyncio.Server | None = None
        self._sessions: set[Session] = set()
        self._waiting: deque[Session] = deque()
        self._all_closed: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "VirtualTerminal":
        self._session_log.__enter__()
        await self._listen()
        self._state.address = self.address
        if self._schedule.is_set:
            self._spawn(collect_on_schedule(self._schedule, self.collect))
        return self

    async def _listen(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Session(
                self.device, on_open=self._opened, on_request=self._dispatch, on_closed=self._closed
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
        await self._state.completions.close()
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
        self._session_log.__exit__(kind, error, trace)
        self.changes.close()

    @property
    def address(self) -> str:
        """Return `host:port` for clients."""
        return f"{self.shown_host or self.host}:{self.port}"

    async def collect(self) -> Collection:
        """Run a remote collection now. Raises TerminalBusy."""
        try:
            return await collect(self._state)
        finally:
            self._resume_next()

    def reset(self) -> None:
        """Forget journal, script and records, and give up the transaction on the screen.

        The numbers of transactions and batches go on: a gateway identifies them by these.
        """
        run = self._run
        self._give_up_transaction()
        if run is not None and not run.session.is_closed:
            run.session.close()
        self.forget_script()
        self.records.clear()
        self._state.completions.clear()
        before = self._state.memory
        self._state.memory = Memory(number=before.number, batch=before.batch)
        self._state.show(IDLE)

    def _opened(self, session: Session) -> None:
        self.records.append(session.record)
        others = bool(self._sessions) or self.is_busy
        self._sessions.add(session)
        if others and self.device.when_busy == "backlog":
            self._waiting.append(session)
            session.pause()
        else:
            session.greet(self.greeting())

    def _closed(self, session: Session) -> None:
        self._sessions.discard(session)
        if not session.has_asked:
            self.skip_unasked(session.greeting)
        if session in self._waiting:
            self._waiting.remove(session)
        if self._run is None or self._run.session is not session:
            self._session_log.write(session.record)
        self._resume_next()
        if self._all_closed is not None and not self._sessions and not self._all_closed.done():
            self._all_closed.set_result(None)

    def _resume_next(self) -> None:
        if self._waiting and not self.is_busy and len(self._sessions) == len(self._waiting):
            self._waiting.popleft().resume()

    def _dispatch(self, session: Session, request: Request) -> None:
        if request.rejected_with is not None:
            rejected = reject(request, request.rejected_with, self.device)
            self._answer(session, "rejected", rejected, Behaviour())
        elif self.is_busy or not self._state.can_begin:
            self._answer(session, "busy", answer_busy(request, self.device), Behaviour())
        elif request.action == COLLECTION:
            self._spawn(self._collect_as_asked(session, request))
        else:
            behaviour = self.behaviour_for(request)
            if behaviour.fault is Fault.BUSY:
                self._answer(session, "busy", answer_busy(request, self.device), behaviour)
            elif request.action == Action.IDENTIFICATION:
                self._answer(session, "answered", identify(request, self.device), behaviour)
            elif request.action == Action.DUPLICATE:
                answer = repeat_last(request, self.memory, behaviour, self.device)
                self._answer(session, "answered", answer, behaviour)
            else:
                self._run = TransactionRun(
                    self._state, session, request, behaviour, on_end=self._ended, on_over=self._over
                )
                self._run.begin()

    def _ended(self) -> None:
        self._run = None

    def _over(self, run: TransactionRun) -> None:
        session = run.session
        if run.behaviour.fault is Fault.REBOOT and session.record.outcome == "given_up":
            self._spawn(self._reboot(run.behaviour.reboot_seconds))
        if session.is_closed:
            self._session_log.write(session.record)
            self._resume_next()

    def _answer(self, session: Session, outcome: str, answer: Answer, behaviour: Behaviour) -> None:
        session.record.outcome = outcome
        session.write(answer_bytes(answer, behaviour), behaviour)

    async def _collect_as_asked(self, session: Session, request: Request) -> None:
        try:
            collection = await collect(self._state)
        except TerminalBusy:
            # Another collection began at the same moment.
            self._answer(session, "busy", answer_busy(request, self.device), Behaviour())
            return
        answer = answer_collection(request, self.device, acknowledged=collection.acknowledged)
        self._answer(session, "answered", answer, self.behaviour)
        self._resume_next()

    async def _reboot(self, seconds: float) -> None:
        """Reset all connections and stop listening for these seconds; the journal stays."""
        assert self._server is not None
        self._state.show(RESTARTING)
        self._server.close()
        for session in list(self._sessions):
            session.reset()
        await asyncio.sleep(seconds)
        try:
            await self._listen()
        except OSError as error:
            _log.error("virtual terminal cannot listen after its restart", error=str(error))
        self._state.show(IDLE)

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _give_up_transaction(self) -> None:
        run, self._run = self._run, None
        if run is None:
            return
        run.give_up()
        if run.session.is_closed:
            self._session_log.write(run.session.record)
