"""HTTP transports that lose what a test says: an answer on its way back, or the request itself."""

from dataclasses import dataclass, field
from typing import Literal

import httpx

#: Fate of one request: `answer` arrives and its answer is lost; `request` never arrives.
Loses = Literal["answer", "request", "nothing"]


@dataclass
class LossyTransport(httpx.AsyncBaseTransport):
    """Transport to an API in this process; its first requests have these fates, all others arrive."""

    inner: httpx.AsyncBaseTransport
    fates: list[Loses] = field(default_factory=list)
    #: Method and path of each request that arrived.
    arrived: list[str] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        fate = self.fates.pop(0) if self.fates else "nothing"
        if fate == "request":
            raise httpx.ReadTimeout("the network swallowed it")
        self.arrived.append(f"{request.method} {request.url.path}")
        response = await self.inner.handle_async_request(request)
        if fate == "answer":
            await response.aread()
            raise httpx.ReadError("the connection was reset")
        return response
