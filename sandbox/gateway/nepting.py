"""Nepting: routes Preludd's requests to the merchant's acquirer."""

from typing import Any, Final

import httpx
from fastapi import FastAPI

from sandbox.gateway.chain import AuthorisationLog, ask
from sandbox.gateway.messages import AuthorisationAnswer, ChainRequest
from sandbox.pages.app import new_app
from sandbox.tracing.steps import System
from sandbox.tracing.trace import Trace
from shared.runtime.clock import Clock

#: Longer than the acquirer waits for the issuer, so that its answer still passes.
ACQUIRER_TIMEOUT_SECONDS: Final = 18.0


class Nepting:
    """Router with a log of authorisations."""

    def __init__(self, acquirer_url: str, http: httpx.AsyncClient, clock: Clock, trace: Trace) -> None:
        self._acquirer_url: Final = acquirer_url
        self._http: Final = http
        self.authorisations: Final = AuthorisationLog(System.NEPTING, System.PRELUDD, clock, trace)

    async def authorise(self, request: ChainRequest) -> AuthorisationAnswer:
        """Pass the request to the acquirer and its answer back."""
        passed = request.through(System.NEPTING)
        record = self.authorisations.record_request(passed)
        answer = await ask(self._http, self._acquirer_url, passed, timeout_seconds=ACQUIRER_TIMEOUT_SECONDS)
        return self.authorisations.record_answer(record, answer)


def make_app(*, acquirer_url: str, http: httpx.AsyncClient, clock: Clock, trace: Trace) -> FastAPI:
    """Return Nepting's application; `acquirer_url` without a slash at its end."""
    nepting = Nepting(acquirer_url, http, clock, trace)
    app = new_app("Nepting")
    app.post("/authorisations")(nepting.authorise)

    @app.get("/records")
    async def records() -> list[dict[str, Any]]:
        """Return the authorisations, the oldest first, cards masked."""
        return nepting.authorisations.records()

    @app.post("/reset")
    async def reset() -> dict[str, bool]:
        """Forget everything."""
        nepting.authorisations.reset()
        return {"reset": True}

    return app
