"""Writer of a transaction's answer: to its session, with the faults that the behaviour wants."""

from typing import Final

from sandbox.terminal.device.transaction import Answer, Done
from sandbox.terminal.script.behaviour import Behaviour, Fault
from sandbox.terminal.server.answer_delivery import NOISE, amount_bytes, answer_bytes
from sandbox.terminal.server.request import Request
from sandbox.terminal.server.session import Session
from sandbox.terminal.trace_events import TraceEvents
from shared.concert import fields as f

_LATE_AMOUNT_SECONDS: Final = 1.0


class AnswerWriter:
    """Answers one request on the session on which it came."""

    def __init__(self, session: Session, request: Request, trace_events: TraceEvents) -> None:
        self._session = session
        self._request = request
        self._trace_events = trace_events

    def write_result(self, done: Done, earlier: Answer, behaviour: Behaviour) -> None:
        """Write the result, or what the fault puts in its place; `earlier` is the previous transaction's."""
        match behaviour.fault:
            case Fault.EARLIER_ANSWER:
                self.write(earlier, behaviour)
            case Fault.GARBAGE:
                self._session.write(NOISE, behaviour)
            case Fault.LOSE_ANSWER:
                self.end_connection(behaviour)
            case Fault.BROKEN_FIRST:
                answer = answer_bytes(done.answer, behaviour)
                self._write_then(NOISE, answer, behaviour.real_after_seconds, behaviour)
            case _ if behaviour.late_amount_cents is not None and done.charged:
                rest = {tag: value for tag, value in done.answer.items() if tag != f.AMOUNT}
                amount = amount_bytes(behaviour.late_amount_cents)
                self._write_then(answer_bytes(rest, behaviour), amount, _LATE_AMOUNT_SECONDS, behaviour)
            case _:
                self.write(done.answer, behaviour)

    def write(self, answer: Answer, behaviour: Behaviour) -> None:
        """Write an answer, unless the network has forgotten the connection by now."""
        limit = behaviour.network_forgets_after_seconds
        if limit is not None and self._session.idle_seconds() > limit:
            self._session.forget()
            return
        if not self._session.is_closed:
            self._trace_events.answered(self._request, answer)
        self._session.write(answer_bytes(answer, behaviour), behaviour)

    def end_connection(self, behaviour: Behaviour) -> None:
        """Close or reset the connection without an answer."""
        if self._session.is_closed:
            return
        if behaviour.fault in (Fault.RESET, Fault.REBOOT):
            self._session.reset()
        else:
            self._session.close()

    def _write_then(self, first: bytes, then: bytes, after_seconds: float, behaviour: Behaviour) -> None:
        self._session.write(first, behaviour, then=then, then_after_seconds=after_seconds)
