"""The client for asyncio; its calls are those of `CloudTerminal`."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from cloud_terminal_client.calls import Calls
from cloud_terminal_client.exchange import Call, Pause, Reply
from cloud_terminal_client.models import FeedPage, HistoryEvent, Operation, Payment, WebhookEndpoint
from cloud_terminal_client.orders import Order
from cloud_terminal_client.outcomes import Outcome
from cloud_terminal_client.retrying import RetryPolicy
from cloud_terminal_client.sending import answer_of, client_options, failure_of, request_options

Result = TypeVar("Result")


class AsyncCloudTerminal:
    """Connection to one installation, with one merchant's credential; tasks may share it."""

    def __init__(
        self,
        base_url: str,
        username: str,
        password: str,
        *,
        retry: RetryPolicy | None = None,
        answer_seconds: float = 30,
        **httpx_options: Any,
    ) -> None:
        """`answer_seconds` limits one answer beside its wait; `httpx_options` go to `httpx.AsyncClient`."""
        self._calls = Calls(retry or RetryPolicy())
        self._answer_seconds = answer_seconds
        self._http = httpx.AsyncClient(**client_options(base_url, username, password, httpx_options))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def pay(
        self, order: Order, *, idempotency_key: str | None = None, wait_seconds: float = 300
    ) -> Outcome:
        """Charge the card; return `Succeeded`, `Failed`, or `Unknown` where nobody knows yet.

        The same order sent again never charges twice: after `Unknown`, or after a crash, call it once more.
        Raises a CloudTerminalError only where nothing of the order was accepted.
        """
        return await self._run(self._calls.pay(order, Operation.DEBIT, idempotency_key, wait_seconds))

    async def reverse(
        self, order: Order, *, idempotency_key: str | None = None, wait_seconds: float = 300
    ) -> Outcome:
        """Reverse the order's debit as a whole, before its collection; results as of `pay`."""
        return await self._run(self._calls.pay(order, Operation.REVERSAL, idempotency_key, wait_seconds))

    async def refund(self, order: Order, *, idempotency_key: str, wait_seconds: float = 300) -> Outcome:
        """Pay a part or all of the order back; results as of `pay`.

        Store the key before the call and use it again after a crash: another key is another refund.
        """
        return await self._run(self._calls.pay(order, Operation.CREDIT, idempotency_key, wait_seconds))

    async def wait(self, payment_id: str, *, seconds: float = 300) -> Outcome:
        """Return the outcome of a payment, or `Unknown` after so many seconds."""
        return await self._run(self._calls.wait(payment_id, seconds))

    async def attach(
        self, order_id: str, *, operation: Operation = Operation.DEBIT, seconds: float = 300
    ) -> Outcome | None:
        """Return the outcome of the order's newest attempt; None where there is none. It never starts one.

        For a restart: what became of the sale that ran when the power went? What was on its way then may be
        accepted up to 30 s later: until then only `Succeeded` is final, and 'not paid' needs another look.
        """
        return await self._run(self._calls.attach(order_id, operation, seconds))

    async def payment(self, payment_id: str) -> Payment:
        return await self._run(self._calls.payment(payment_id))

    async def cancel(self, payment_id: str) -> Payment:
        """Stop a payment while it is queued. Raises Conflict once a terminal has it."""
        return await self._run(self._calls.cancel(payment_id))

    async def history(self, payment_id: str) -> list[HistoryEvent]:
        return await self._run(self._calls.history(payment_id))

    async def payments(self, **filters: str | None) -> AsyncIterator[Payment]:
        """Iterate over payments, the newest first: `order_id`, `state`, `terminal`, `created_from`, ..."""
        async for shown in self.items("/v1/payments", "payments", **filters):
            yield Payment.read(shown)

    async def items(self, path: str, member: str, **query: str | None) -> AsyncIterator[Mapping[str, Any]]:
        """Iterate over any list of the API, page by page: `items("/v1/terminals", "terminals")`."""
        cursor: str | None = None
        while True:
            page, cursor = await self._run(self._calls.page(path, member, query, cursor))
            for shown in page:
                yield shown
            if cursor is None:
                return

    async def feed(
        self, after: str | None = None, *, follow: bool = False, pause_seconds: float = 2
    ) -> AsyncIterator[FeedPage]:
        """Iterate over the merchant's events; handle a page, then keep its `cursor` for the next start.

        `follow` never ends: it looks again after a pause.
        """
        while True:
            page = await self._run(self._calls.feed_page(after))
            after = page.cursor
            if page.events:
                yield page
            if page.has_more:
                continue
            if not follow:
                return
            await asyncio.sleep(pause_seconds)

    async def register_webhook(
        self, url: str, *, types: Iterable[str] = (), description: str = ""
    ) -> WebhookEndpoint:
        """Register a receiver of events. Its `secret` is never shown again."""
        return await self._run(self._calls.register_webhook(url, types, description))

    async def request(
        self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Any = None
    ) -> Mapping[str, Any]:
        """Return the answer of any other call of the API."""
        return await self._run(self._calls.request(method, path, query, body))

    async def _run(self, call: Call[Result]) -> Result:
        reply: Reply | None = None
        while True:
            try:
                step = call.send(reply)
            except StopIteration as done:
                result: Result = done.value
                return result
            if isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
                reply = None
                continue
            try:
                options = request_options(step, self._answer_seconds)
                reply = answer_of(await self._http.request(step.method, step.path, **options))
            except httpx.TransportError as error:
                reply = failure_of(error)
