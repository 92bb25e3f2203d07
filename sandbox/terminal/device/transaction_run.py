"""Run of one transaction at the terminal, from its request to its end, with or without its connection."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

from sandbox.gateway import response_codes
from sandbox.terminal.device.card import TEST_PIN, Authorisation, CardRead, asks_authorisation
from sandbox.terminal.device.journal import Transaction, reversible_debit
from sandbox.terminal.device.result import (
    ABANDONED,
    WALKED_AWAY,
    Ending,
    decide_alone,
    decide_ending,
    pin_blocked,
    usual_card,
    wrong_application,
)
from sandbox.terminal.device.screen import Key, Next, Stage, Step, asking, digit, ended, present, press, woken
from sandbox.terminal.device.transaction import earlier_answer, perform, take_into_account
from sandbox.terminal.gateway.bodies import authorisation_question, completion
from sandbox.terminal.gateway.link import Gateway, GatewayUnreachable
from sandbox.terminal.script.behaviour import Behaviour, Customer, Fault
from sandbox.terminal.server.answer_writer import AnswerWriter
from sandbox.terminal.server.request import Request
from sandbox.terminal.server.session import Session
from sandbox.terminal.state import TerminalState
from shared.concert.fields import Action

#: The transaction ends before customer and bank act, without an answer.
_NOTHING_HAPPENS: Final = frozenset({Fault.CLOSE_WITHOUT_ANSWER, Fault.RESET, Fault.SILENT, Fault.REBOOT})
_MESSAGES: Final = {
    "done": "Approved",
    "refused": "Refused",
    "abandoned": "Abandoned",
    "walked_away": "Time is over",
}


class TransactionRun:
    """The transaction on the screen.

    `on_end` is called when it leaves the screen, before the answer; `on_over` after the answer.
    """

    def __init__(
        self,
        state: TerminalState,
        session: Session,
        request: Request,
        behaviour: Behaviour,
        *,
        on_end: Callable[[], None],
        on_over: Callable[["TransactionRun"], None],
    ) -> None:
        self.session = session
        self.request = request
        self.behaviour = _without_customer(behaviour) if state.by_hand else behaviour
        self._state = state
        self.by_hand = state.by_hand
        self._on_end = on_end
        self._on_over = on_over
        self._writer = AnswerWriter(session, request, state.trace_events)
        self._answers_at_once = request.wants_answer_at_once or behaviour.fault is Fault.IMMEDIATE
        self._timer: asyncio.TimerHandle | None = None
        self._question: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Show the amount and wait for the customer."""
        state = self._state
        state.trace_events.requested(self.request)
        state.show(woken(self.request.action, self.request.amount_cents))
        if self._answers_at_once:
            self._writer.write(take_into_account(self.request, state.device), self.behaviour)
        own_time = self.by_hand or self.behaviour.fault is Fault.SILENT
        delay = state.device.terminal_time_seconds if own_time else self.behaviour.delay_seconds
        if delay:
            over = self._time_over if self.by_hand else self.act
            self._timer = asyncio.get_running_loop().call_later(delay, over)
        else:
            self.act()

    def act(self, card_read: CardRead | None = None) -> None:
        """Act as the behaviour's customer, with this card or the default one."""
        if self._state.screen.stage is not Stage.CARD:
            return
        if self.behaviour.fault in _NOTHING_HAPPENS:
            self._go_wrong()
        elif self.behaviour.fault is Fault.WALK_AWAY:
            self._end(WALKED_AWAY)
        elif self.behaviour.customer is Customer.ABANDON:
            self._end(ABANDONED)
        else:
            self.present(card_read or usual_card(self.behaviour, self._state.device, self.request))
            self._type_pin()

    def _type_pin(self) -> None:
        if self._state.screen.stage is Stage.PIN:
            for typed in TEST_PIN:
                self.type_digit(typed)
            self.press(Key.GREEN)

    def present(self, card_read: CardRead) -> None:
        """Present a card."""
        state = self._state
        if self.by_hand and self.behaviour.fault is Fault.SILENT:
            return
        if state.screen.stage is not Stage.CARD:
            return
        limit = state.device.contactless_limit_cents if self.by_hand else None
        step = present(state.screen, card_read, contactless_limit_cents=limit)
        if step[0].card_read is not None:
            state.trace_events.card(self.request, card_read)
        self._move(step)

    def type_digit(self, typed: str) -> None:
        """Type a digit of the PIN."""
        self._state.show(digit(self._state.screen, typed))

    def press(self, key: Key) -> None:
        """Press a coloured key."""
        before = self._state.screen
        step = press(before, key)
        if key is Key.GREEN and before.pin:
            self._state.trace_events.pin(self.request, is_right=step[1] is Next.DECIDE)
        self._move(step)

    def abandon(self) -> None:
        """Abandon the transaction, whatever its fault."""
        if self._state.screen.stage in (Stage.CARD, Stage.PIN):
            self.behaviour = replace(self.behaviour, customer=Customer.ABANDON, fault=None)
            self._end(ABANDONED)

    def give_up(self) -> None:
        """Drop the transaction, as the terminal is switched off or restarts."""
        self._stop_waiting()
        if self._question is not None:
            self._question.cancel()
        self.session.record.outcome = "given_up"

    def _move(self, step: Step) -> None:
        screen, what_next = step
        self._state.show(screen)
        match what_next:
            case Next.DECIDE:
                self._decide()
            case Next.ABANDON:
                self.abandon()
            case Next.BLOCK:
                assert screen.card_read is not None
                self._end(pin_blocked(screen.card_read))
            case None:
                pass

    def _decide(self) -> None:
        """Approve, or ask the bank, after the card was read."""
        self._stop_waiting()
        state, request = self._state, self.request
        card_read = state.screen.card_read
        assert card_read is not None
        wrong = wrong_application(request, card_read)
        if self.behaviour.fault in _NOTHING_HAPPENS:
            self._go_wrong()
        elif wrong is not None:
            self._end(wrong)
        elif state.gateway is None:
            number = state.memory.number + 1
            self._end(
                decide_alone(
                    request,
                    state.memory.journal,
                    number,
                    self.behaviour,
                    state.device,
                    _now(),
                    card_read,
                )
            )
        else:
            self._ask_gateway(state.gateway, card_read)

    def _ask_gateway(self, gateway: Gateway, card_read: CardRead) -> None:
        """Ask the gateway where this transaction needs it; a reversal where its debit was authorised."""
        state, request = self._state, self.request
        undone = self._debit_to_undo(card_read)
        asks = asks_authorisation(request, card_read, self.behaviour, state.device)
        if request.action == Action.CREDIT:
            asks = request.forces_authorisation
        elif request.action == Action.REVERSAL:
            asks = undone is not None and undone.authorisation is not None
        if not asks:
            self._end(decide_ending(request, state.memory.journal, self.behaviour, card_read, None))
            return
        body = authorisation_question(
            request,
            card_read,
            self.behaviour,
            state.device,
            address=state.address,
            reverses=undone,
        )
        state.show(asking(state.screen))
        self._question = asyncio.create_task(self._ask(gateway, body, card_read), name="authorisation")

    def _debit_to_undo(self, card_read: CardRead) -> Transaction | None:
        if self.request.action != Action.REVERSAL:
            return None
        journal = self._state.memory.journal
        return reversible_debit(journal, self.request.amount_cents, card_read.card.pan)

    async def _ask(self, gateway: Gateway, body: dict[str, object], card_read: CardRead) -> None:
        try:
            authorisation = await gateway.authorise(body)
        except GatewayUnreachable:
            authorisation = Authorisation(approved=False, code=response_codes.UNAVAILABLE)
        journal = self._state.memory.journal
        self._end(decide_ending(self.request, journal, self.behaviour, card_read, authorisation))

    def _time_over(self) -> None:
        """End the transaction: nobody acted by hand in the terminal's time."""
        if self.behaviour.fault in _NOTHING_HAPPENS:
            self._go_wrong()
        else:
            self._end(WALKED_AWAY)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _go_wrong(self) -> None:
        """End the transaction without a charge and without an answer."""
        self._stop_waiting()
        self._state.show(ended(self._state.screen, is_done=False, message="Given up"))
        self._on_end()
        self.session.record.outcome = "given_up"
        self._writer.end_connection(self.behaviour)
        self._on_over(self)

    def _end(self, ending: Ending) -> None:
        self._stop_waiting()
        state, session = self._state, self.session
        before = state.memory
        done = perform(self.request, before, self.behaviour, state.device, _now(), ending)
        state.memory = done.memory
        message = _MESSAGES[ending.result] if ending.reason is None else f"Refused: {ending.reason}"
        state.show(ended(state.screen, is_done=done.charged, message=message))
        session.record.charged = done.charged
        session.record.outcome = ending.result
        state.trace_events.ended(self.request, done.transaction)
        if done.charged and ending.authorisation is not None:
            state.completions.put(completion(done.transaction, state.device, state.address))
        self._on_end()
        if not self._answers_at_once:
            earlier = earlier_answer(before, self.request, state.device)
            self._writer.write_result(done, earlier, self.behaviour)
        self._on_over(self)


def _without_customer(behaviour: Behaviour) -> Behaviour:
    """Return the behaviour without the customer's part, which is acted by hand; bank and faults stay."""
    customer = Customer.APPROVE if behaviour.customer is Customer.ABANDON else behaviour.customer
    fault = None if behaviour.fault is Fault.WALK_AWAY else behaviour.fault
    return replace(behaviour, customer=customer, fault=fault)


def _now() -> datetime:
    return datetime.now().astimezone()
