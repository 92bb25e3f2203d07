"""The public API as the sandbox's systems call it: any client with a merchant's credential does the same."""

import asyncio
from typing import Any, Final
from urllib.parse import quote

import httpx

#: Longer than the API waits for a payment's result.
ORDER_TIMEOUT_SECONDS: Final = 260.0
_TIMEOUT_SECONDS: Final = 10.0
_READY_INTERVAL_SECONDS: Final = 0.2

Json = dict[str, Any]


class ApiAnswered(Exception):
    """Raised for an answer that is no success where nothing else can be done; the message shows it."""


class CloudApi:
    """One merchant's view of the API at `url`, which ends in no slash.

    `http` is closed by whoever made it. Every call raises httpx.HTTPError where there is no answer.
    """

    def __init__(self, http: httpx.AsyncClient, url: str, username: str, password: str) -> None:
        self.url: Final = url
        self._http: Final = http
        self._auth: Final = httpx.BasicAuth(username, password)

    async def wait_ready(self) -> None:
        """Return once the API is ready for requests."""
        while True:
            try:
                if (await self._http.get(f"{self.url}/v1/connector/healthcheck")).is_success:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(_READY_INTERVAL_SECONDS)

    async def order(self, order: Json, *, request_id: str) -> httpx.Response:
        """Send an order and wait for its result; a cancelled call drops the connection."""
        return await self._http.post(
            f"{self.url}/v1/connector/order",
            json=order,
            auth=self._auth,
            headers={"X-Request-Id": request_id},
            timeout=ORDER_TIMEOUT_SECONDS,
        )

    async def newest_payment(self, order_id: str, operation: str) -> Json | None:
        """Return the newest payment of this operation of an order."""
        found = (await self._get("/v1/payments", order_id=order_id))["payments"]
        return next((one for one in found if one["operation"] == operation), None)

    async def payment(self, payment_id: str) -> httpx.Response:
        """Return the answer of `GET /v1/payments/{id}`."""
        return await self._http.get(
            f"{self.url}/v1/payments/{quote(payment_id, safe='')}", auth=self._auth, timeout=_TIMEOUT_SECONDS
        )

    async def events(self, payment_id: str) -> list[Json]:
        """Return a payment's history, the oldest first; empty for one that is not the merchant's."""
        answer = await self._http.get(
            f"{self.url}/v1/payments/{quote(payment_id, safe='')}/events",
            auth=self._auth,
            timeout=_TIMEOUT_SECONDS,
        )
        if answer.status_code == 404:
            return []
        events: list[Json] = _json(answer)["events"]
        return events

    async def cancel(self, payment_id: str) -> httpx.Response:
        """Ask to stop a payment; a conflict where a terminal has it already."""
        return await self._http.post(
            f"{self.url}/v1/payments/{quote(payment_id, safe='')}/cancel",
            auth=self._auth,
            timeout=_TIMEOUT_SECONDS,
        )

    async def terminals(self) -> list[Json]:
        """Return the registered terminals that take payments, by id."""
        listed: list[Json] = (await self._get("/v1/terminals", limit="100"))["terminals"]
        return [one for one in listed if not one["disabled"]]

    async def register_terminal(self, terminal_id: str, **entry: Any) -> None:
        """Create or change a registered terminal. Raises ApiAnswered."""
        _json(
            await self._http.put(
                f"{self.url}/v1/terminals/{quote(terminal_id, safe='')}",
                json=entry,
                auth=self._auth,
                timeout=_TIMEOUT_SECONDS,
            )
        )

    async def register_webhooks(self, url: str) -> str:
        """Have webhooks sent to this address and return the secret that signs them from now on.

        An endpoint that is there already gets a new secret. Raises ApiAnswered.
        """
        endpoints = (await self._get("/v1/webhooks/endpoints", limit="100"))["endpoints"]
        known = next((one for one in endpoints if one["url"] == url and not one["disabled_at"]), None)
        path, body = "", {"url": url, "description": "The sandbox's shop"}
        if known is not None:
            path, body = f"/{known['id']}/rotate-secret", {}
        answer = await self._http.post(
            f"{self.url}/v1/webhooks/endpoints{path}", json=body, auth=self._auth, timeout=_TIMEOUT_SECONDS
        )
        return str(_json(answer)["secret"])

    async def _get(self, path: str, **query: str) -> Json:
        return _json(
            await self._http.get(f"{self.url}{path}", params=query, auth=self._auth, timeout=_TIMEOUT_SECONDS)
        )


def _json(answer: httpx.Response) -> Json:
    if not answer.is_success:
        raise ApiAnswered(f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}")
    read: Json = answer.json()
    return read
