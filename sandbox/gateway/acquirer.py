"""The acquirer, the merchant's bank: passes authorisations to the issuer, takes collections."""

from typing import Any, Final

import httpx
from fastapi import FastAPI, HTTPException

from sandbox.gateway.chain import AuthorisationLog, ask, reference_of
from sandbox.gateway.messages import (
    AuthorisationAnswer,
    Batch,
    ChainRequest,
    CollectionAnswer,
    CollectionSums,
    EndedTransaction,
)
from sandbox.pages.app import new_app
from sandbox.tracing.steps import Step, System
from sandbox.tracing.trace import Trace
from shared.runtime.clock import Clock

ISSUER_TIMEOUT_SECONDS: Final = 15.0
#: Collections beyond that are refused: an acknowledged transaction is never dropped.
KEPT_TRANSACTIONS: Final = 100_000


class Acquirer:
    """Log of authorisations, and the collected transactions."""

    def __init__(self, issuer_url: str, http: httpx.AsyncClient, clock: Clock, trace: Trace) -> None:
        self._issuer_url: Final = issuer_url
        self._http: Final = http
        self._trace: Final = trace
        self._authorisations: Final = AuthorisationLog(System.ACQUIRER, System.NEPTING, clock, trace)
        #: By key: a batch that comes twice is counted once.
        self._collected: Final[dict[str, EndedTransaction]] = {}

    async def authorise(self, request: ChainRequest) -> AuthorisationAnswer:
        """Pass the request to the issuer and its answer back."""
        passed = request.through(System.ACQUIRER)
        record = self._authorisations.record_request(passed)
        answer = await ask(self._http, self._issuer_url, passed, timeout_seconds=ISSUER_TIMEOUT_SECONDS)
        return self._authorisations.record_answer(record, answer)

    async def collect(self, batch: Batch) -> CollectionAnswer:
        """Take a batch, each of its transactions once."""
        sums = CollectionSums.of(batch.transactions)
        detail = {"serial": batch.terminal.serial, "batch": batch.batch, **sums.model_dump()}
        if len(self._collected) + len(batch.transactions) > KEPT_TRANSACTIONS:
            raise HTTPException(503, "No room for more transactions: reset the sandbox.")
        self._trace.record(System.PRELUDD, System.ACQUIRER, Step.COLLECTION_SENT, **detail)
        for one in batch.transactions:
            self._collected.setdefault(one.key(batch.terminal.serial), one)
        self._trace.record(System.ACQUIRER, System.PRELUDD, Step.COLLECTION_ACKNOWLEDGED, **detail)
        return CollectionAnswer(**sums.model_dump())

    async def collected(self) -> dict[str, Any]:
        """Return all collected transactions and their sums in cents."""
        sums = CollectionSums.of(self._collected.values())
        transactions = [
            {"key": key, **one.model_dump(mode="json"), "payment_id": reference_of(one.reference)}
            for key, one in self._collected.items()
        ]
        return {**sums.model_dump(), "transactions": transactions}

    async def records(self) -> list[dict[str, Any]]:
        """Return the authorisations, the oldest first, cards masked."""
        return self._authorisations.records()

    def reset(self) -> None:
        """Forget all authorisations and collections."""
        self._authorisations.reset()
        self._collected.clear()


def make_app(*, issuer_url: str, http: httpx.AsyncClient, clock: Clock, trace: Trace) -> FastAPI:
    """Return the acquirer's application; `issuer_url` without a slash at its end."""
    acquirer = Acquirer(issuer_url, http, clock, trace)
    app = new_app("Acquirer")
    app.post("/authorisations")(acquirer.authorise)
    app.post("/collections")(acquirer.collect)
    app.get("/collections")(acquirer.collected)
    app.get("/records")(acquirer.records)

    @app.post("/reset")
    async def reset() -> dict[str, bool]:
        """Forget everything."""
        acquirer.reset()
        return {"reset": True}

    return app
