"""What was learned of an outcome outside the session: what it proves, and what it contradicts."""

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from shared.payment.states import Event, State


class Source(StrEnum):
    """Where evidence comes from."""

    #: A complete answer that came after the payment had left its session.
    LATE_ANSWER = "late_answer"
    #: The terminal repeated its last transaction.
    ENQUIRY = "enquiry"
    #: The terminal's gateway, by way of the platform.
    GATEWAY = "gateway"
    #: A person, with name and reason.
    OPERATOR = "operator"
    #: The run that claimed it, back after its line was taken over: it knows that it wrote nothing.
    WORKER = "worker"


#: What an event of proof says about the money: moved or not.
_MONEY_MOVED: Final = MappingProxyType(
    {
        Event.PROVED_DONE: True,
        Event.PROVED_REFUSED: False,
        Event.PROVED_ABORTED: False,
        Event.NOT_SENT: False,
    }
)

#: The session's own word for a result, and the proof that the same answer is when it comes late.
PROOF_OF_ANSWER: Final = MappingProxyType(
    {
        Event.ANSWERED_DONE: Event.PROVED_DONE,
        Event.ANSWERED_REFUSED: Event.PROVED_REFUSED,
        Event.ANSWERED_ABORTED: Event.PROVED_ABORTED,
    }
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A proof (`proves` is set) or a hint. Only proofs settle a doubt."""

    source: Source
    proves: Event | None
    detail: dict[str, object] = field(default_factory=dict)
    #: It proves nothing, and beside the result that is stored it cannot be true: a success whose amount came
    #: later, and is another one.
    conflicts: bool = False


def contradicts(state: State, proof: Event) -> bool:
    """Whether the proof says that money moved where the final state says not, or the reverse.

    Evidence about a payment that is still queued, in session or in doubt contradicts nothing.
    """
    match state:
        case State.SUCCEEDED:
            return not _MONEY_MOVED[proof]
        case State.REFUSED | State.ABORTED | State.UNREACHABLE | State.EXPIRED | State.CANCELLED:
            return _MONEY_MOVED[proof]
        case _:
            return False
