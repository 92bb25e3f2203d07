"""Asks the next one in the chain."""

import httpx
from pydantic import ValidationError

from sandbox.gateway import response_codes
from sandbox.gateway.messages import AuthorisationAnswer, ChainRequest


async def ask(
    http: httpx.AsyncClient, base_url: str, request: ChainRequest, *, timeout_seconds: float
) -> AuthorisationAnswer:
    """Return what `POST {base_url}/authorisations` answers; a refusal 91 where that cannot be read."""
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
