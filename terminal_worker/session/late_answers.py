"""The late answers on a connection that stayed open after its session."""

from dataclasses import dataclass
from typing import Final

from shared.payment.evidence import PROOF_OF_ANSWER, Evidence, Source
from shared.payment.payment import Reason, Result, Settlement
from shared.payment.states import Event
from shared.runtime.resilience import log_failure
from shared.settings.settings import Settings
from terminal_worker.session.answer_reader import (
    Answer,
    AnswerReader,
    NoAnswer,
    interpret_answer,
    not_interpreted,
)
from terminal_worker.session.connection import Connection
from terminal_worker.session.request_builder import PreparedRequest

#: Reads of one connection: a peer that sends more is ignored.
_MAX_READS: Final = 10


@dataclass(frozen=True, slots=True)
class LateEvidence:
    """Evidence about the payment from bytes that came late."""

    evidence: Evidence
    result: Result


@dataclass(slots=True)
class LateAnswerListener:
    """The open connection with its session's answer and settlement."""

    connection: Connection
    reader: AnswerReader
    prepared: PreparedRequest
    written_at: float
    answer: Answer | NoAnswer
    settlement: Settlement
    _count: int = 0

    async def next_evidence(self, ends_at: float, settings: Settings) -> LateEvidence | None:
        """Return the next new evidence; None where the connection ended or nothing came until `ends_at`."""
        while self._count < _MAX_READS:
            self._count += 1
            before, self.answer = self.answer, await self.reader.read(self.written_at, ends_at)
            if isinstance(self.answer, Answer):
                evidence = self._interpreted(before, self.answer, settings)
            else:
                evidence = self._unreadable(before, self.answer)
            if evidence is not None:
                return evidence
            if isinstance(self.answer, NoAnswer) and self.answer.reason is not Reason.UNREADABLE:
                return None
        return None

    def _unreadable(self, before: Answer | NoAnswer, no_answer: NoAnswer) -> LateEvidence | None:
        if not no_answer.unreadable or (
            isinstance(before, NoAnswer) and before.unreadable == no_answer.unreadable
        ):
            return None
        return LateEvidence(
            Evidence(Source.LATE_ANSWER, None, {"lost": no_answer.detail, **no_answer.unreadable}), Result()
        )

    def _interpreted(
        self, before: Answer | NoAnswer, answer: Answer, settings: Settings
    ) -> LateEvidence | None:
        if isinstance(before, Answer) and before.frame == answer.frame:
            return None
        try:
            settlement = interpret_answer(answer, self.prepared, settings, {})
        except Exception as error:
            log_failure("late answer not interpreted", error)
            return LateEvidence(Evidence(Source.LATE_ANSWER, None, not_interpreted(answer, error)), Result())
        succeeded = self.settlement.event is Event.ANSWERED_DONE
        if succeeded and _is_same_result(settlement, self.settlement):
            return None
        # Another frame may be about another payment; a late field of the same one is about ours.
        is_same_frame = isinstance(before, Answer) and before.number == answer.number
        evidence = Evidence(
            Source.LATE_ANSWER,
            PROOF_OF_ANSWER.get(settlement.event),
            settlement.detail,
            conflicts=succeeded and is_same_frame,
        )
        return LateEvidence(evidence, settlement.result)


def _is_same_result(settlement: Settlement, other: Settlement) -> bool:
    return settlement.event is other.event and settlement.result.paid_cents == other.result.paid_cents
