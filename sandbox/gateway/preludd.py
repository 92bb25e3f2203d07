"""Preludd, the terminal's payment gateway: asks the chain, takes collections, pushes both to HiPay."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any, Final

import httpx
from fastapi import FastAPI, HTTPException
from pydantic import ValidationError

from sandbox.gateway import pushes
from sandbox.gateway.chain import AuthorisationLog, ask, reference_of
from sandbox.gateway.messages import (
    AuthorisationAnswer,
    AuthorisationRequest,
    Batch,
    ChainRequest,
    CollectionAnswer,
    CollectionSums,
    Completion,
    Push,
)
from sandbox.outbox.outbox import RETRY_SECONDS, AttemptResult, Faults, Outbox, post
from sandbox.pages.app import new_app
from sandbox.tracing.steps import Step, System
from sandbox.tracing.trace import Trace
from shared.runtime.clock import Clock
from shared.runtime.ids import RandomBytes

#: Longer than Nepting waits for the acquirer, so that its answer still passes.
NEPTING_TIMEOUT_SECONDS: Final = 20.0
ACQUIRER_TIMEOUT_SECONDS: Final = 20.0
PUSH_TIMEOUT_SECONDS: Final = 10.0

_PATHS: Final = {
    "authorisation": "authorisations",
    "completion": "authorisations",
    "collection": "collections",
}


class Preludd:
    """Authorisations, ended and collected transactions, and their pushes to HiPay."""

    def __init__(
        self,
        *,
        nepting_url: str,
        acquirer_url: str,
        hipay_url: str,
        http: httpx.AsyncClient,
        clock: Clock,
        trace: Trace,
        random_bytes: RandomBytes,
        retry_seconds: Sequence[float],
    ) -> None:
        self._nepting_url: Final = nepting_url
        self._acquirer_url: Final = acquirer_url
        self._hipay_url: Final = hipay_url
        self._http: Final = http
        self._clock: Final = clock
        self._trace: Final = trace
        self._random_bytes: Final = random_bytes
        self._authorisations: Final = AuthorisationLog(System.PRELUDD, System.TERMINAL, clock, trace)
        self._references: Final[dict[str, str | None]] = {}
        self._completed: Final[set[str]] = set()
        self._collected: Final[set[str]] = set()
        self._session = random_bytes(4).hex()
        self.outbox: Final = Outbox[Push](self._push, clock, retry_seconds=retry_seconds)

    async def authorise(self, request: AuthorisationRequest) -> AuthorisationAnswer:
        """Ask the chain and answer the terminal; push the result to HiPay."""
        at_ms = self._clock.wall_ms()
        asked = ChainRequest(
            **request.model_dump(), id=f"aut_{self._random_bytes(8).hex()}", route=[System.PRELUDD]
        )
        record = self._authorisations.record_request(asked)
        answer = await ask(self._http, self._nepting_url, asked, timeout_seconds=NEPTING_TIMEOUT_SECONDS)
        self._references[asked.id] = request.reference
        self.outbox.put(pushes.of_authorisation(request, answer, session=self._session, at_ms=at_ms))
        return self._authorisations.record_answer(record, answer)

    async def complete(self, completion: Completion) -> dict[str, bool]:
        """Take the end of an authorised transaction and push it once."""
        ended, serial = completion.transaction, completion.terminal.serial
        reference = completion.reference or self._reference_of(ended.reference, ended.authorisation_id)
        detail = {"serial": serial, "transaction_id": ended.id, "amount_cents": ended.amount_cents}
        payment = reference_of(reference)
        self._trace.record(System.TERMINAL, System.PRELUDD, Step.COMPLETION_SENT, payment, **detail)
        if ended.key(serial) not in self._completed:
            self._completed.add(ended.key(serial))
            self.outbox.put(
                pushes.of_ended("completion", completion.terminal, reference, ended, session=self._session)
            )
        self._trace.record(System.PRELUDD, System.TERMINAL, Step.COMPLETION_ACKNOWLEDGED, payment, **detail)
        return {"acknowledged": True}

    async def collect(self, batch: Batch) -> CollectionAnswer:
        """Pass a collection to the acquirer, acknowledge after it, push each transaction once.

        502 where the acquirer does not acknowledge: the terminal keeps its transactions and retries.
        """
        serial, sums = batch.terminal.serial, CollectionSums.of(batch.transactions)
        if any(one.operation == "reversal" for one in batch.transactions):
            raise HTTPException(422, "A reversal is never collected: its debit is left out.")
        detail = {"serial": serial, "batch": batch.batch, **sums.model_dump()}
        self._trace.record(System.TERMINAL, System.PRELUDD, Step.COLLECTION_SENT, **detail)
        await self._pass_on(batch, sums)
        for one in batch.transactions:
            if one.key(serial) in self._collected:
                continue
            self._collected.add(one.key(serial))
            reference = self._reference_of(one.reference, one.authorisation_id)
            self.outbox.put(
                pushes.of_ended("collection", batch.terminal, reference, one, session=self._session)
            )
        self._trace.record(System.PRELUDD, System.TERMINAL, Step.COLLECTION_ACKNOWLEDGED, **detail)
        return CollectionAnswer(**sums.model_dump())

    async def script(self, faults: Faults) -> Faults:
        """Apply faults to the pushes from now on."""
        self.outbox.script(faults)
        return self.outbox.faults

    async def records(self) -> dict[str, Any]:
        """Return the authorisations and the pushes with their attempts, the oldest first."""
        return {
            "authorisations": self._authorisations.records(),
            "pushes": [
                {
                    **message.content.model_dump(mode="json"),
                    "ended": message.ended,
                    "attempts": [asdict(attempt) for attempt in message.attempts],
                }
                for message in self.outbox.messages
            ],
        }

    async def reset(self) -> dict[str, bool]:
        """Forget everything; new records get new names."""
        await self.outbox.reset()
        self._authorisations.reset()
        self._references.clear()
        self._completed.clear()
        self._collected.clear()
        self._session = self._random_bytes(4).hex()
        return {"reset": True}

    def _reference_of(self, own: str | None, authorisation_id: str | None) -> str | None:
        """Return CF of a transaction, else of its authorisation."""
        return own if own is not None or authorisation_id is None else self._references.get(authorisation_id)

    async def _pass_on(self, batch: Batch, sums: CollectionSums) -> None:
        try:
            answer = await self._http.post(
                f"{self._acquirer_url}/collections",
                json=batch.model_dump(mode="json"),
                timeout=ACQUIRER_TIMEOUT_SECONDS,
            )
            answer.raise_for_status()
            taken = CollectionAnswer.model_validate_json(answer.content)
        except (httpx.HTTPError, ValidationError) as error:
            raise HTTPException(502, "The acquirer did not acknowledge.") from error
        if taken.count != sums.count or taken.sum_cents != sums.sum_cents:
            raise HTTPException(502, "The acquirer acknowledged something else.")

    async def _push(self, push: Push) -> AttemptResult:
        return await post(
            self._http,
            f"{self._hipay_url}/preludd/{_PATHS[push.kind]}",
            timeout_seconds=PUSH_TIMEOUT_SECONDS,
            json=push.model_dump(mode="json"),
        )


def make_app(
    *,
    nepting_url: str,
    acquirer_url: str,
    hipay_url: str,
    http: httpx.AsyncClient,
    clock: Clock,
    trace: Trace,
    random_bytes: RandomBytes,
    retry_seconds: Sequence[float] = RETRY_SECONDS,
) -> FastAPI:
    """Return Preludd's application; its lifespan cancels unfinished pushes at the end.

    No URL ends in a slash. retry_seconds: pause before each retry of a push; the last one repeats.
    """
    preludd = Preludd(
        nepting_url=nepting_url,
        acquirer_url=acquirer_url,
        hipay_url=hipay_url,
        http=http,
        clock=clock,
        trace=trace,
        random_bytes=random_bytes,
        retry_seconds=retry_seconds,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with preludd.outbox:
            yield

    app = new_app("Preludd", lifespan=lifespan)
    app.post("/authorisations")(preludd.authorise)
    app.post("/completions")(preludd.complete)
    app.post("/collections")(preludd.collect)
    app.post("/script")(preludd.script)
    app.get("/records")(preludd.records)
    app.post("/reset")(preludd.reset)
    return app
