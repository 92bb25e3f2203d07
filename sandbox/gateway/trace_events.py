"""What each of the chain records of an authorisation that passed, and the hops that it shows."""

from collections import deque
from typing import Any, Final

from sandbox.gateway.messages import AuthorisationAnswer, AuthorisationRequest, ChainRequest
from sandbox.tracing.steps import Step, System
from sandbox.tracing.trace import Trace
from shared.concert.echoes import find_reference
from shared.runtime.clock import Clock

KEPT_RECORDS: Final = 10_000


class Passing:
    """The authorisations that passed one system of the chain, coming from `caller`."""

    def __init__(self, system: System, caller: System, clock: Clock, trace: Trace) -> None:
        self._system: Final = system
        self._caller: Final = caller
        self._clock: Final = clock
        self._trace: Final = trace
        self._records: Final[deque[dict[str, Any]]] = deque(maxlen=KEPT_RECORDS)

    def asked(self, request: ChainRequest) -> dict[str, Any]:
        """Record a request that came, the card masked; return the record, for its answer."""
        record = {**recorded(request), "asked_at_ms": self._clock.wall_ms(), "answer": None}
        self._records.append(record)
        self._trace.record(
            self._caller,
            self._system,
            Step.AUTHORISATION_ASKED,
            reference_of(request.reference),
            id=request.id,
            operation=request.operation,
            amount_cents=request.amount_cents,
            card=record["card"],
        )
        return record

    def answered(self, record: dict[str, Any], answer: AuthorisationAnswer) -> AuthorisationAnswer:
        """Record the answer that goes back."""
        record["answer"] = answer.model_dump(mode="json")
        record["answered_at_ms"] = self._clock.wall_ms()
        self._trace.record(
            self._system,
            self._caller,
            Step.AUTHORISATION_ANSWERED,
            reference_of(record["reference"]),
            id=answer.id,
            approved=answer.approved,
            code=answer.code,
            message=answer.message,
            authorisation_number=answer.authorisation_number,
        )
        return answer

    def records(self) -> list[dict[str, Any]]:
        """Return the records, the oldest first."""
        return list(self._records)

    def reset(self) -> None:
        self._records.clear()


def recorded(request: AuthorisationRequest) -> dict[str, Any]:
    """Return a request as JSON with its card masked."""
    return {**request.model_dump(mode="json"), "card": request.card.shown().model_dump(mode="json")}


def reference_of(private_data: str | None) -> str | None:
    """Return our payment's id in CF, where there is one."""
    return None if private_data is None else find_reference(private_data)
