"""One transaction at the terminal, from its request to its end. It goes on when its connection is lost."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

from sandbox.gateway import response_codes
from sandbox.terminal.device.bank import Authorisation, asks_authorisation
from sandbox.terminal.device.card import TEST_PIN, Presented
from sandbox.terminal.device.journal import Transaction, reversible_debit
from sandbox.terminal.device.result import (
    ABANDONED,
    WALKED_AWAY,
    Ending,
    decided,
    pin_blocked,
    played_out,
    usual_card,
    wrong_application,
)
from sandbox.terminal.device.screen import Key, Next, Stage, Step, asking, digit, ended, present, press, woken
from sandbox.terminal.device.transaction import Answer, Done, earlier_answer, perform, take_into_account
from sandbox.terminal.gateway.bodies import authorisation_question, completion
from sandbox.terminal.gateway.link import Gateway, GatewayUnreachable
from sandbox.terminal.script.behaviour import Behaviour, Customer, Fault
from sandbox.terminal.server.answer_delivery import NOISE, amount_bytes, answer_bytes
from sandbox.terminal.server.request import Request
from sandbox.terminal.server.session import Session
from sandbox.terminal.state import TerminalState
from shared.concert import fields as f
from shared.concert.fields import Action

#: No customer and no bank come into these: the connection ends without an answer, or the terminal restarts.
_NOTHING_HAPPENS: Final = frozenset({Fault.CLOSE_WITHOUT_ANSWER, Fault.RESET, Fault.SILENT, Fault.REBOOT})
_LATE_AMOUNT_SECONDS: Final = 1.0
_WORDS: Final = {
    "done": "Approved",
    "refused": "Refused",
    "abandoned": "Abandoned",
    "walked_away": "Time is over",
}


class TransactionRun:
    """The transaction that is on the screen.

    `on_end` is called when it leaves the screen, before anything is answered; `on_over` when all is done.
    """

    def __init__(
        self,
        terminal_state: TerminalState,
        session: Session,
        request: Request,
        behaviour: Behaviour,
        *,
        on_end: Callable[[], None],
        on_over: Callable[["TransactionRun"], None],
    ) -> None:
        self.session = session
        self.request = request
        self.behaviour = _for_hands(behaviour) if terminal_state.by_hand else behaviour
        self._terminal_state = terminal_state
        self.by_hand = terminal_state.by_hand
        self._on_end = on_end
        self._on_over = on_over
        self._answers_at_once = request.wants_answer_at_once or behaviour.fault is Fault.IMMEDIATE
        self._timer: asyncio.TimerHandle | None = None
        self._question: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Wake up, show the amount, and wait for the customer."""
        terminal_state = self._terminal_state
        terminal_state.hops.called(self.request)
        terminal_state.show(woken(self.request.action, self.request.amount_cents))
        if self._answers_at_once:
            self._write(take_into_account(self.request, terminal_state.device))
        own_time = self.by_hand or self.behaviour.fault is Fault.SILENT
        delay = terminal_state.device.terminal_time_seconds if own_time else self.behaviour.delay_seconds
        if delay:
            over = self._time_over if self.by_hand else self.act
            self._timer = asyncio.get_running_loop().call_later(delay, over)
        else:
            self.act()

    def act(self, presented: Presented | None = None) -> None:
        """The customer does now what the behaviour says, with this card or the usual one."""
        if self._terminal_state.screen.stage is not Stage.CARD:
            return
        if self.behaviour.fault in _NOTHING_HAPPENS:
            self._go_wrong()
        elif self.behaviour.fault is Fault.WALK_AWAY:
            self._end(WALKED_AWAY)
        elif self.behaviour.customer is Customer.ABANDON:
            self._end(ABANDONED)
        else:
            self.present(presented or usual_card(self.behaviour, self._terminal_state.device, self.request))
            self._type_pin()

    def _type_pin(self) -> None:
        if self._terminal_state.screen.stage is Stage.PIN:
            for typed in TEST_PIN:
                self.type_digit(typed)
            self.press(Key.GREEN)

    def present(self, presented: Presented) -> None:
        """A card is put in or held to the terminal."""
        terminal_state = self._terminal_state
        if self.by_hand and self.behaviour.fault is Fault.SILENT:
            return
        if terminal_state.screen.stage is not Stage.CARD:
            return
        limit = terminal_state.device.contactless_limit_cents if self.by_hand else None
        step = present(terminal_state.screen, presented, contactless_limit_cents=limit)
        if step[0].presented is not None:
            terminal_state.hops.card(self.request, presented)
        self._move(step)

    def type_digit(self, typed: str) -> None:
        """One digit of the PIN."""
        self._terminal_state.show(digit(self._terminal_state.screen, typed))

    def press(self, key: Key) -> None:
        """One of the coloured keys."""
        before = self._terminal_state.screen
        step = press(before, key)
        if key is Key.GREEN and before.pin:
            self._terminal_state.hops.pin(self.request, is_right=step[1] is Next.DECIDE)
        self._move(step)

    def abandon(self) -> None:
        """The red button, whatever was to go wrong."""
        if self._terminal_state.screen.stage in (Stage.CARD, Stage.PIN):
            self.behaviour = replace(self.behaviour, customer=Customer.ABANDON, fault=None)
            self._end(ABANDONED)

    def give_up(self) -> None:
        """The terminal is switched off, or restarts, in the middle of it."""
        self._stop_waiting()
        if self._question is not None:
            self._question.cancel()
        self.session.record.outcome = "given_up"

    def _move(self, step: Step) -> None:
        screen, what_next = step
        self._terminal_state.show(screen)
        match what_next:
            case Next.DECIDE:
                self._decide()
            case Next.ABANDON:
                self.abandon()
            case Next.BLOCK:
                assert screen.presented is not None
                self._end(pin_blocked(screen.presented))
            case None:
                pass

    def _decide(self) -> None:
        """The card was read: approve, or ask the bank."""
        self._stop_waiting()
        terminal_state, request = self._terminal_state, self.request
        presented = terminal_state.screen.presented
        assert presented is not None
        wrong = wrong_application(request, presented)
        if self.behaviour.fault in _NOTHING_HAPPENS:
            self._go_wrong()
        elif wrong is not None:
            self._end(wrong)
        elif terminal_state.gateway is None:
            number = terminal_state.memory.number + 1
            self._end(
                played_out(
                    request,
                    terminal_state.memory.journal,
                    number,
                    self.behaviour,
                    terminal_state.device,
                    _now(),
                    presented,
                )
            )
        else:
            self._ask_gateway(terminal_state.gateway, presented)

    def _ask_gateway(self, gateway: Gateway, presented: Presented) -> None:
        """Ask the bank where this transaction has to; a reversal where its debit was authorised."""
        terminal_state, request = self._terminal_state, self.request
        undone = self._debit_to_undo(presented)
        asks = asks_authorisation(request, presented, self.behaviour, terminal_state.device)
        if request.action == Action.CREDIT:
            asks = request.forces_authorisation
        elif request.action == Action.REVERSAL:
            asks = undone is not None and undone.authorisation is not None
        if not asks:
            self._end(decided(request, terminal_state.memory.journal, self.behaviour, presented, None))
            return
        body = authorisation_question(
            request,
            presented,
            self.behaviour,
            terminal_state.device,
            address=terminal_state.address,
            reverses=undone,
        )
        terminal_state.show(asking(terminal_state.screen))
        self._question = asyncio.create_task(self._ask(gateway, body, presented), name="authorisation")

    def _debit_to_undo(self, presented: Presented) -> Transaction | None:
        if self.request.action != Action.REVERSAL:
            return None
        journal = self._terminal_state.memory.journal
        return reversible_debit(journal, self.request.amount_cents, presented.card.pan)

    async def _ask(self, gateway: Gateway, body: dict[str, object], presented: Presented) -> None:
        try:
            authorisation = await gateway.authorise(body)
        except GatewayUnreachable:
            authorisation = Authorisation(approved=False, code=response_codes.UNAVAILABLE)
        journal = self._terminal_state.memory.journal
        self._end(decided(self.request, journal, self.behaviour, presented, authorisation))

    def _time_over(self) -> None:
        """Nobody acted by hand in the terminal's own time."""
        if self.behaviour.fault in _NOTHING_HAPPENS:
            self._go_wrong()
        else:
            self._end(WALKED_AWAY)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _go_wrong(self) -> None:
        """Nothing was charged, and nobody is answered."""
        self._stop_waiting()
        self._terminal_state.show(ended(self._terminal_state.screen, is_done=False, message="Given up"))
        self._on_end()
        self.session.record.outcome = "given_up"
        self._end_connection()
        self._on_over(self)

    def _end(self, ending: Ending) -> None:
        self._stop_waiting()
        terminal_state, session = self._terminal_state, self.session
        before = terminal_state.memory
        done = perform(self.request, before, self.behaviour, terminal_state.device, _now(), ending)
        terminal_state.memory = done.memory
        message = _WORDS[ending.result] if ending.reason is None else f"Refused: {ending.reason}"
        terminal_state.show(ended(terminal_state.screen, is_done=done.charged, message=message))
        session.record.charged = done.charged
        session.record.outcome = ending.result
        terminal_state.hops.ended(self.request, done.transaction)
        if done.charged and ending.authorisation is not None:
            terminal_state.outbox.put(
                completion(done.transaction, terminal_state.device, terminal_state.address)
            )
        self._on_end()
        self._answer(done, earlier_answer(before, self.request, terminal_state.device))
        self._on_over(self)

    def _answer(self, done: Done, earlier: Answer) -> None:
        if self._answers_at_once:
            return
        match self.behaviour.fault:
            case Fault.EARLIER_ANSWER:
                self._write(earlier)
            case Fault.GARBAGE:
                self.session.write(NOISE, self.behaviour)
            case Fault.LOSE_ANSWER:
                self._end_connection()
            case Fault.BROKEN_FIRST:
                answer = answer_bytes(done.answer, self.behaviour)
                self._write_then(NOISE, answer, self.behaviour.real_after_seconds)
            case _ if self.behaviour.late_amount_cents is not None and done.charged:
                rest = {tag: value for tag, value in done.answer.items() if tag != f.AMOUNT}
                amount = amount_bytes(self.behaviour.late_amount_cents)
                self._write_then(answer_bytes(rest, self.behaviour), amount, _LATE_AMOUNT_SECONDS)
            case _:
                self._write(done.answer)

    def _write_then(self, first: bytes, then: bytes, after_seconds: float) -> None:
        self.session.write(first, self.behaviour, then=then, then_after_seconds=after_seconds)

    def _write(self, answer: Answer) -> None:
        limit = self.behaviour.network_forgets_after_seconds
        if limit is not None and self.session.idle_seconds() > limit:
            self.session.forget()
            return
        if not self.session.is_closed:
            self._terminal_state.hops.answered(self.request, answer)
        self.session.write(answer_bytes(answer, self.behaviour), self.behaviour)

    def _end_connection(self) -> None:
        if self.session.is_closed:
            return
        if self.behaviour.fault in (Fault.RESET, Fault.REBOOT):
            self.session.reset()
        else:
            self.session.close()


def _for_hands(behaviour: Behaviour) -> Behaviour:
    """What the customer would do is left to the hands at the screen; the bank and the faults stay."""
    customer = Customer.APPROVE if behaviour.customer is Customer.ABANDON else behaviour.customer
    fault = None if behaviour.fault is Fault.WALK_AWAY else behaviour.fault
    return replace(behaviour, customer=customer, fault=fault)


def _now() -> datetime:
    return datetime.now().astimezone()
