"""Calls of the API: their steps and what their answers are read as, for both clients."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from random import SystemRandom
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import uuid4

from cloud_terminal_client.errors import UnreadableAnswer
from cloud_terminal_client.exchange import Answer, Call, Request
from cloud_terminal_client.models import Event, FeedPage, HistoryEvent, Operation, Payment, WebhookEndpoint
from cloud_terminal_client.orders import Order
from cloud_terminal_client.outcomes import Outcome, Unknown
from cloud_terminal_client.paying import Paying, attach, look, wait_until
from cloud_terminal_client.retrying import PASSING_ERRORS, RetryPolicy, Surroundings, answered

Read = TypeVar("Read")
_PAGE_LIMIT = 100


class Calls:
    """Every call of the clients as a generator of its steps."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._around = Surroundings(policy, time.monotonic, SystemRandom().random)

    def pay(
        self, order: Order, operation: Operation, idempotency_key: str | None, wait_seconds: float
    ) -> Call[Outcome]:
        key = idempotency_key or str(uuid4())
        return Paying(order, operation, key, wait_seconds, self._around).run()

    def wait(self, payment_id: str, seconds: float) -> Call[Outcome]:
        deadline = self._around.clock() + seconds
        try:
            first = yield from self.payment(payment_id)
        except PASSING_ERRORS as error:
            return Unknown(None, error)
        return (yield from wait_until(first, deadline, self._around))

    def attach(self, order_id: str, operation: Operation, seconds: float) -> Call[Outcome | None]:
        return attach(order_id, operation, seconds, self._around)

    def payment(self, payment_id: str) -> Call[Payment]:
        return (yield from self._read(look(payment_id, 0), _payment))

    def cancel(self, payment_id: str) -> Call[Payment]:
        return (yield from self._read(Request("POST", f"{_path(payment_id)}/cancel"), _payment))

    def history(self, payment_id: str) -> Call[list[HistoryEvent]]:
        return (
            yield from self._read(
                Request("GET", f"{_path(payment_id)}/events"),
                lambda body: [HistoryEvent.read(each) for each in body["events"]],
            )
        )

    def page(
        self, path: str, member: str, query: Mapping[str, Any], cursor: str | None
    ) -> Call[tuple[list[Mapping[str, Any]], str | None]]:
        """Return one page of a list, and the next page's cursor."""
        asked = {name: value for name, value in query.items() if value is not None}
        more = {} if cursor is None else {"cursor": cursor}
        request = Request("GET", path, {"limit": _PAGE_LIMIT, **asked, **more})
        return (yield from self._read(request, lambda body: (body[member], body.get("next"))))

    def feed_page(self, after: str | None) -> Call[FeedPage]:
        query: dict[str, str | int] = {"limit": _PAGE_LIMIT, **({} if after is None else {"after": after})}
        return (yield from self._read(Request("GET", "/v1/events", query), _feed_page))

    def register_webhook(self, url: str, types: Iterable[str], description: str) -> Call[WebhookEndpoint]:
        body = {"url": url, "types": list(types), "description": description}
        request = Request("POST", "/v1/webhooks/endpoints", body=body, repeatable=False)
        return (yield from self._read(request, WebhookEndpoint.read))

    def request(
        self, method: str, path: str, query: Mapping[str, Any] | None, body: Any
    ) -> Call[Mapping[str, Any]]:
        request = Request(method, path, query or {}, body=body)
        return (yield from self._read(replace(request, repeatable=method == "GET"), dict))

    def _read(self, request: Request, read: Callable[[Mapping[str, Any]], Read]) -> Call[Read]:
        """Return what a successful answer is read as."""
        answer: Answer = yield from answered(request, self._around)
        try:
            return read(answer.json())
        except (KeyError, TypeError, ValueError) as error:
            raise UnreadableAnswer(f"{request.method} {request.path}: an answer of another form") from error


def _path(payment_id: str) -> str:
    return f"/v1/payments/{quote(payment_id, safe='')}"


def _payment(body: Mapping[str, Any]) -> Payment:
    return Payment.read(body["payment"])


def _feed_page(body: Mapping[str, Any]) -> FeedPage:
    return FeedPage([Event.read(each) for each in body["events"]], body["next"], body["has_more"])
