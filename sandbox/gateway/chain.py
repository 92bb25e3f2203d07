"""One link of the authorisation chain: asks the next link, records and traces what passes."""

from collections import deque
from typing import Any, Final

import httpx
from pydantic import ValidationError

from sandbox.gateway import response_codes
from sandbox.gateway.messages import AuthorisationAnswer, AuthorisationRequest, ChainRequest
from sandbox.tracing.steps import Step, System
from sandbox.tracing.trace import Trace
from shared.concert.echoes import find_reference
from shared.runtime.clock import Clock

KEPT_RECORDS: Final = 10_000


class AuthorisationLog:
    """Log of the authorisations that passed one system of the chain; `client` is the previous one."""

    def __init__(self, system: System, client: System, clock: Clock, trace: Trace) -> None:
        self._system: Final = system
        self._client: Final = client
        self._clock: Final = clock
        self._trace: Final = trace
        self._records: Final[deque[dict[str, Any]]] = deque(maxlen=KEPT_RECORDS)

    def record_request(self, request: ChainRequest) -> dict[str, Any]:
        """Record and trace a request with its card masked; return the record, for `record_answer`."""
        record = {**recorded(request), "asked_at_ms": self._clock.wall_ms(), "answer": None}
        self._records.append(record)
        self._trace.record(
            self._client,
            self._system,
            Step.AUTHORISATION_ASKED,
            reference_of(request.reference),
            id=request.id,
            operation=request.operation,
            amount_cents=request.amount_cents,
            card=record["card"],
        )
        return record

    def record_answer(self, record: dict[str, Any], answer: AuthorisationAnswer) -> AuthorisationAnswer:
        """Record and trace the answer; return it."""
        record["answer"] = answer.model_dump(mode="json")
        record["answered_at_ms"] = self._clock.wall_ms()
        self._trace.record(
            self._system,
            self._client,
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
    """Return the payment's id in CF, or None."""
    return None if private_data is None else find_reference(private_data)


async def ask(
    http: httpx.AsyncClient, base_url: str, request: ChainRequest, *, timeout_seconds: float
) -> AuthorisationAnswer:
    """Return the answer of `POST {base_url}/authorisations`; a refusal 91 where there is none."""
    try:
        answer = await http.post(
            f"{base_url}/authorisations", json=request.model_dump(mode="json"), timeout=timeout_seconds
        )
        answer.raise_for_status()
        return AuthorisationAnswer.model_validate_json(answer.content)
    except (httpx.HTTPError, ValidationError):
        return AuthorisationAnswer(
            id=request.id,
            approved=False,
            code=response_codes.UNAVAILABLE,
            message=response_codes.meaning(response_codes.UNAVAILABLE),
        )
