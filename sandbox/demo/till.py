"""The cash register: sends orders over HTTP and notes when it asked and when it was answered."""

import time
from dataclasses import dataclass
from typing import Any

import httpx

from sandbox.demo.orders import Order

#: Above the longest time that a caller waits for an outcome (240 s).
_TIMEOUT_SECONDS = 250.0


@dataclass(frozen=True, slots=True)
class Call:
    """One request and its answer; times in milliseconds since 1970."""

    #: Who asked: `till`, or `till 2` beside another.
    till: str
    order: Order
    sent_at_ms: float
    answered_at_ms: float
    status: int
    body: dict[str, Any]

    @property
    def payment_id(self) -> str:
        return str(self.body.get("payment", {}).get("id", ""))

    @property
    def order_id(self) -> str:
        return str(self.order["order"]["order_id"])


class Till:
    """Pays with one merchant's credential, over one kept connection a call at once."""

    def __init__(self, api_url: str, username: str, secret: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=api_url, auth=(username, secret), timeout=_TIMEOUT_SECONDS, trust_env=False
        )

    async def pay(self, order: Order, till: str = "till") -> Call:
        """Send the order and wait for its answer. Raises httpx.HTTPError."""
        sent_at_ms = time.time_ns() / 1e6
        answer = await self._client.post("/v1/connector/order", json=order)
        return Call(till, order, sent_at_ms, time.time_ns() / 1e6, answer.status_code, answer.json())

    async def look(self) -> str:
        """Ask whether payments are taken; return `up` or what is missing."""
        return (await self._client.get("/v1/connector/healthcheck")).text

    async def close(self) -> None:
        await self._client.aclose()
