"""Client of the product's public API with a merchant's credential."""

import asyncio
import json
import shlex
from collections.abc import Collection
from typing import Any, Final
from urllib.parse import quote

import httpx

ORDER_PATH: Final = "/v1/connector/order"
#: Longer than the API waits for a payment's result.
ORDER_TIMEOUT_SECONDS: Final = 260.0
_TIMEOUT_SECONDS: Final = 10.0
_READY_INTERVAL_SECONDS: Final = 0.2
#: Marks the sandbox's own webhook endpoints; others are never changed.
_DESCRIPTION: Final = "The sandbox's shop"

Json = dict[str, Any]


def payment_path(payment_id: str) -> str:
    """Return the path of a payment."""
    return f"/v1/payments/{quote(payment_id, safe='')}"


def cancel_path(payment_id: str) -> str:
    """Return the path of a payment's cancellation."""
    return f"{payment_path(payment_id)}/cancel"


class ApiAnswered(Exception):
    """Raised for an answer that is not 2xx; the message holds request, status and body."""


class CloudApi:
    """One merchant's client of the API at `url` (no slash at its end); the owner of `http` closes it.

    Every call raises httpx.HTTPError where there is no answer.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        url: str,
        username: str,
        password: str,
        *,
        shown_url: str | None = None,
    ) -> None:
        """shown_url: the URL for command lines; None: `url`."""
        self.url: Final = url
        self._http: Final = http
        self._login: Final = f"{username}:{password}"
        self._auth: Final = httpx.BasicAuth(username, password)
        self._shown_url: Final = shown_url or url

    def curl(self, method: str, path: str, body: Json | None = None) -> str:
        """Return a request as a command line for a POSIX shell, with the credential."""
        words = ["curl", "-u", self._login, "-X", method, f"{self._shown_url}{path}"]
        if body is not None:
            text = json.dumps(body, indent=2, ensure_ascii=False)
            words += ["-H", "Content-Type: application/json", "--data-raw", text]
        return shlex.join(words)

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
            f"{self.url}{ORDER_PATH}",
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
            f"{self.url}{payment_path(payment_id)}", auth=self._auth, timeout=_TIMEOUT_SECONDS
        )

    async def events(self, payment_id: str) -> list[Json]:
        """Return a payment's history, the oldest first; empty for one that is not the merchant's."""
        answer = await self._http.get(
            f"{self.url}{payment_path(payment_id)}/events",
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
            f"{self.url}{cancel_path(payment_id)}",
            auth=self._auth,
            timeout=_TIMEOUT_SECONDS,
        )

    async def terminals(self) -> list[Json]:
        """Return the registered terminals that take payments, by id."""
        listed: list[Json] = (await self._get("/v1/terminals", limit="100"))["terminals"]
        return [one for one in listed if not one["disabled"]]

    async def terminal(self, terminal_id: str) -> Json:
        """Return a registered terminal with its payments. Raises ApiAnswered."""
        return await self._get(f"/v1/terminals/{quote(terminal_id, safe='')}")

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

    async def remove_terminals(self, label: str, *, keep: Collection[str]) -> None:
        """Remove the terminals of this label but those to keep. Raises ApiAnswered."""
        for one in await self.terminals():
            if one["label"] == label and one["id"] not in keep:
                path = f"{self.url}/v1/terminals/{quote(one['id'], safe='')}"
                answer = await self._http.delete(path, auth=self._auth, timeout=_TIMEOUT_SECONDS)
                if not answer.is_success:
                    raise ApiAnswered(f"DELETE {path}: {answer.status_code} {answer.text}")

    async def register_webhooks(self, url: str) -> str:
        """Register a webhook endpoint and return its secret; rotate the secret of one that exists.

        Raises ApiAnswered.
        """
        endpoints = (await self._get("/v1/webhooks/endpoints", limit="100"))["endpoints"]
        known = next((one for one in endpoints if one["url"] == url and not one["disabled"]), None)
        path, body = "", {"url": url, "description": _DESCRIPTION}
        if known is not None:
            path, body = f"/{known['id']}/rotate-secret", {}
        answer = await self._http.post(
            f"{self.url}/v1/webhooks/endpoints{path}", json=body, auth=self._auth, timeout=_TIMEOUT_SECONDS
        )
        return str(_json(answer)["secret"])

    async def disable_other_webhooks(self, url: str) -> None:
        """Disable the sandbox's endpoints of earlier starts, which had other ports. Raises ApiAnswered."""
        earlier: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = await self._get("/v1/webhooks/endpoints", limit="100", **cursor)
            earlier += [
                one["id"]
                for one in page["endpoints"]
                if one["url"] != url and one["description"] == _DESCRIPTION and not one["disabled"]
            ]
            if not page.get("next"):
                break
            cursor = {"cursor": page["next"]}
        for endpoint_id in earlier:
            path = f"{self.url}/v1/webhooks/endpoints/{endpoint_id}"
            _json(await self._http.patch(path, json={"disabled": True}, auth=self._auth))

    async def _get(self, path: str, **query: str) -> Json:
        return _json(
            await self._http.get(f"{self.url}{path}", params=query, auth=self._auth, timeout=_TIMEOUT_SECONDS)
        )


def _json(answer: httpx.Response) -> Json:
    if not answer.is_success:
        raise ApiAnswered(f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}")
    read: Json = answer.json()
    return read
