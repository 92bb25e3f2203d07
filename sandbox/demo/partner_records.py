"""What the systems around us recorded, read from their JSON resources as any script may."""

from types import TracebackType
from typing import Any, Final, Self

import httpx
from pydantic import TypeAdapter

from sandbox.terminal.device.ledger import SessionRecord
from sandbox.tracing.trace import TraceEvent

Json = dict[str, Any]

_TIMEOUT_SECONDS: Final = 20.0
_HOPS: Final = TypeAdapter(list[TraceEvent])
_SESSIONS: Final = TypeAdapter(list[SessionRecord])


class PartnerRecords:
    """`urls` by system, as `Partners` has them. Everything raises httpx.HTTPError."""

    def __init__(self, urls: dict[str, str]) -> None:
        self._urls = urls
        self._client = httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def hops(self, reference: str | None = None, *, after: int = 0) -> list[TraceEvent]:
        """Return what passed between them, the oldest first; of one payment where it is named."""
        query: dict[str, str | int] = {"after": after}
        if reference is not None:
            query["reference"] = reference
        return _HOPS.validate_json((await self._get("console", "/hops", query)).content)

    async def sessions(self) -> list[SessionRecord]:
        """Return the terminal's own record of its sessions."""
        return _SESSIONS.validate_json((await self._get("screen", "/records")).content)

    async def order_notifications(self) -> list[Json]:
        """Return the order notifications that HiPay took, repeats too; `reference` is the payment's id."""
        received: list[Json] = (await self._get("console", "/received")).json()
        return [one for one in received if one["what"] == "order"]

    async def transactions(self, order_id: str = "") -> Json:
        """Return the Console's `transactions`, the newest first, and their `totals`."""
        listed: Json = (await self._get("console", "/transactions", {"order_id": order_id})).json()
        return listed

    async def waiting_orders(self) -> list[str]:
        """Return the payments of which HiPay has the order alone: the gateway reported nothing yet."""
        waiting: Json = (await self._get("console", "/waiting")).json()
        return [str(order["payment_id"]) for order in waiting["orders"]]

    async def webhooks(self) -> list[Json]:
        """Return what our notifier sent to the merchant's server, refused and repeated ones too."""
        received: list[Json] = (await self._get("merchant", "/webhooks")).json()
        return received

    async def notifications(self) -> list[Json]:
        """Return what HiPay sent to the merchant's server, refused and repeated ones too."""
        received: list[Json] = (await self._get("merchant", "/hipay/notifications")).json()
        return received

    async def collected(self) -> Json:
        """Return what the acquirer collected, with `count` and `sum_cents`."""
        sums: Json = (await self._get("acquirer", "/collections")).json()
        return sums

    async def next_card(self, key: str) -> None:
        """Have the terminal's next customer pay with this card of the deck."""
        await self._post("screen", "/script", {"next": [{"card": key}]})

    async def collect(self) -> Json:
        """Run the terminal's remote collection; return its `batch`, `count`, `sum_cents`, `acknowledged`."""
        ended: Json = (await self._post("screen", "/collect", None)).json()
        return ended

    async def _get(self, system: str, path: str, query: dict[str, str | int] | None = None) -> httpx.Response:
        answer = await self._client.get(self._urls[system] + path, params=query)
        return answer.raise_for_status()

    async def _post(self, system: str, path: str, body: Json | None) -> httpx.Response:
        answer = await self._client.post(self._urls[system] + path, json=body)
        return answer.raise_for_status()
