"""A connection on which more may come than what ended its session."""

from dataclasses import dataclass
from typing import Final

from shared.payment.evidence import PROOF_OF_ANSWER, Evidence, Source
from shared.payment.payment import Reason
from shared.payment.settlement import Result, Settlement
from shared.payment.states import Event
from shared.runtime.resilience import log_failure
from shared.settings.settings import Settings
from terminal_worker.session.answer_meaning import interpret_answer, not_interpreted
from terminal_worker.session.answer_reader import Answer, AnswerReader, Lost
from terminal_worker.session.connection import Connection
from terminal_worker.session.request_builder import PreparedRequest

#: That much may be kept of one connection; whoever sends more is listened to no longer.
_HEARD_AT_MOST: Final = 10


@dataclass(frozen=True, slots=True)
class Heard:
    """Evidence about the payment, from bytes that came late."""

    evidence: Evidence
    result: Result


@dataclass(slots=True)
class LateAnswerListener:
    """The connection, and what its session made of what came before."""

    connection: Connection
    reader: AnswerReader
    prepared: PreparedRequest
    written_at: float
    answer: Answer | Lost
    settlement: Settlement
    _count: int = 0

    async def hear(self, ends_at: float, settings: Settings) -> Heard | None:
        """Return what comes next and says something new; None: the connection's end, or nothing until
        `ends_at` (boot-time seconds)."""
        while self._count < _HEARD_AT_MOST:
            self._count += 1
            before, self.answer = self.answer, await self.reader.read(self.written_at, ends_at)
            if isinstance(self.answer, Answer):
                heard = self._interpreted(before, self.answer, settings)
            else:
                heard = self._unread(before, self.answer)
            if heard is not None:
                return heard
            if isinstance(self.answer, Lost) and self.answer.reason is not Reason.UNREADABLE:
                return None
        return None

    def _unread(self, before: Answer | Lost, lost: Lost) -> Heard | None:
        if not lost.unread or (isinstance(before, Lost) and before.unread == lost.unread):
            return None
        return Heard(Evidence(Source.LATE_ANSWER, None, {"lost": lost.detail, **lost.unread}), Result())

    def _interpreted(self, before: Answer | Lost, answer: Answer, settings: Settings) -> Heard | None:
        if isinstance(before, Answer) and before.frame == answer.frame:
            return None
        try:
            settlement = interpret_answer(answer, self.prepared, settings, {})
        except Exception as error:
            log_failure("late answer not judged", error)
            return Heard(Evidence(Source.LATE_ANSWER, None, not_interpreted(answer, error)), Result())
        succeeded = self.settlement.event is Event.ANSWERED_DONE
        if succeeded and _tells_the_same(settlement, self.settlement):
            return None
        # Another frame may be about another payment; a late field of the same one is about ours.
        is_same_frame = isinstance(before, Answer) and before.number == answer.number
        evidence = Evidence(
            Source.LATE_ANSWER,
            PROOF_OF_ANSWER.get(settlement.event),
            settlement.detail,
            conflicts=succeeded and is_same_frame,
        )
        return Heard(evidence, settlement.result)


def _tells_the_same(settlement: Settlement, other: Settlement) -> bool:
    return settlement.event is other.event and settlement.result.paid_cents == other.result.paid_cents
