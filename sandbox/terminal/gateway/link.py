"""Interface of the terminal's gateway (Preludd), its HTTP client, and the retry of completions."""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

import httpx
import structlog
from pydantic import BaseModel, ValidationError

from sandbox.terminal.device.card import Authorisation
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


#: Seconds before each retry of the same completion; the last one repeats.
RETRY_SECONDS: Final = (0.5, 1.0, 2.0, 5.0, 15.0)
#: More than a day's payments; the oldest beyond that are dropped, and reach the gateway with the collection.
_LONGEST: Final = 10_000

_log = structlog.get_logger()


class CompletionQueue:
    """Completions that are sent one by one, in order, until `close`."""

    def __init__(self, gateway: Gateway | None) -> None:
        self._gateway = gateway
        self._waiting: deque[Body] = deque(maxlen=_LONGEST)
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, completion: Body) -> None:
        """Queue a completion; without a gateway it is dropped."""
        if self._gateway is None:
            return
        self._waiting.append(completion)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._send_all(self._gateway), name="completions")

    async def _send_all(self, gateway: Gateway) -> None:
        tries = 0
        while self._waiting:
            body = self._waiting[0]
            try:
                await gateway.complete(body)
            except GatewayUnreachable as error:
                _log.warning("completion not acknowledged by the gateway", error=str(error))
                await asyncio.sleep(RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)])
                tries += 1
            else:
                tries = 0
                if self._waiting and self._waiting[0] is body:
                    self._waiting.popleft()

    def clear(self) -> None:
        """Drop all completions."""
        self._waiting.clear()

    async def close(self) -> None:
        """Stop sending."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
