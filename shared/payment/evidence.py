"""Evidence of a payment's outcome from outside its session: proofs, hints and conflicts."""

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from shared.payment.states import Event, State


class Source(StrEnum):
    """The origin of evidence."""

    #: A complete answer that came after the payment had left its session.
    LATE_ANSWER = "late_answer"
    #: The terminal repeated its last transaction.
    ENQUIRY = "enquiry"
    #: The terminal's gateway, by way of the platform.
    GATEWAY = "gateway"
    #: An operator, with name and reason.
    OPERATOR = "operator"
    #: The run that claimed it, after its terminal lock was taken over: it knows that it wrote nothing.
    WORKER = "worker"


#: Each event of proof: whether money moved.
_MONEY_MOVED: Final = MappingProxyType(
    {
        Event.PROVED_DONE: True,
        Event.PROVED_REFUSED: False,
        Event.PROVED_ABORTED: False,
        Event.NOT_SENT: False,
    }
)

#: The session's event for an answer, and the proof that the same answer is when it comes late.
PROOF_OF_ANSWER: Final = MappingProxyType(
    {
        Event.ANSWERED_DONE: Event.PROVED_DONE,
        Event.ANSWERED_REFUSED: Event.PROVED_REFUSED,
        Event.ANSWERED_ABORTED: Event.PROVED_ABORTED,
    }
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One piece of evidence: a proof (`proves` is set) or a hint. Only proofs settle a doubt."""

    source: Source
    proves: Event | None
    detail: dict[str, object] = field(default_factory=dict)
    #: Conflicts with the stored result though it proves nothing: a success's amount that came later and is
    #: another one.
    conflicts: bool = False


def conflicts_with(state: State, proof: Event) -> bool:
    """Return whether a proof says that money moved where the final state says not, or the reverse.

    A proof conflicts with no payment that is still queued, in session or in doubt.
    """
    match state:
        case State.SUCCEEDED:
            return not _MONEY_MOVED[proof]
        case State.REFUSED | State.ABORTED | State.UNREACHABLE | State.EXPIRED | State.CANCELLED:
            return _MONEY_MOVED[proof]
        case _:
            return False
