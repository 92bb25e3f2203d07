"""Interface of the terminal's payment gateway (Preludd), and its HTTP client."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from sandbox.terminal.device.bank import Authorisation
from sandbox.terminal.gateway.bodies import Body


class GatewayUnreachable(Exception):
    """Raised where the gateway gave no valid answer; it may have received the request."""


@dataclass(frozen=True, slots=True)
class Collected:
    """The gateway's acknowledgement of a batch."""

    acknowledged: bool
    count: int
    sum_cents: int


class Gateway(Protocol):
    """A terminal's gateway. Every call raises GatewayUnreachable."""

    async def authorise(self, body: Body) -> Authorisation:
        """Ask the card's bank for an authorisation."""
        ...

    async def complete(self, body: Body) -> None:
        """Report that an authorised transaction was done; it may be repeated."""
        ...

    async def collect(self, body: Body) -> Collected:
        """Send a batch; it may be repeated."""
        ...


class _AuthorisationAnswer(BaseModel):
    id: str
    approved: bool
    code: str
    message: str = ""
    authorisation_number: str | None = None


class _CollectionAnswer(BaseModel):
    acknowledged: bool
    count: int
    sum_cents: int


_Answer = TypeVar("_Answer", bound=BaseModel)


class HttpGateway:
    """Client of the gateway at a base URL; `client` sets time-outs, and its owner closes it."""

    def __init__(self, client: httpx.AsyncClient, url: str) -> None:
        self._client = client
        self._url = url.rstrip("/")

    async def authorise(self, body: Body) -> Authorisation:
        answer = await self._post("authorisations", body, _AuthorisationAnswer)
        return Authorisation(
            answer.approved, answer.code, answer.message, answer.authorisation_number, answer.id
        )

    async def complete(self, body: Body) -> None:
        await self._send("completions", body)

    async def collect(self, body: Body) -> Collected:
        answer = await self._post("collections", body, _CollectionAnswer)
        return Collected(answer.acknowledged, answer.count, answer.sum_cents)

    async def _post(self, path: str, body: Body, kind: type[_Answer]) -> _Answer:
        response = await self._send(path, body)
        try:
            return kind.model_validate_json(response.content)
        except ValidationError as error:
            raise GatewayUnreachable(f"{path}: an answer that cannot be read") from error

    async def _send(self, path: str, body: Body) -> httpx.Response:
        try:
            response = await self._client.post(f"{self._url}/{path}", json=body)
            response.raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise GatewayUnreachable(f"{path}: {error!r}") from error
        return response
