"""Deliveries listed and sent once more: what merchants' and operators' routes share."""

from collections.abc import Callable
from typing import Any, Final

from fastapi import Request

from api.http.body import check_media_type, read_body
from api.http.dependencies import Dependencies
from api.http.errors import NotFound
from api.http.query import Query, cursor
from api.webhooks.errors import WebhookEndpointDisabled
from api.webhooks.replay_request import ReplayRequest
from api.webhooks.webhook_object import attempt_object
from shared.storage.db.engine import Database
from shared.storage.webhooks import delivery_list, replays
from shared.storage.webhooks.delivery_list import DeliveryFilter, StoredDelivery
from shared.storage.webhooks.endpoints import EndpointIsDisabled

#: The query of a list, whoever asks.
FILTERS: Final = ("endpoint", "state", "type", "payment", "from", "to", "limit", "cursor")

_STATES: Final = {state: state for state in ("waiting", "delivered", "dead")}


async def list_page(
    database: Database,
    query: Query,
    *,
    kind: str | None,
    merchant_id: str | None,
    types: dict[str, str],
    show: Callable[[StoredDelivery], dict[str, Any]],
) -> dict[str, Any]:
    """Return one page's body, newest first. Raises InvalidQuery, DatabaseUnavailable."""
    wanted = DeliveryFilter(
        kind=kind,
        merchant_id=merchant_id,
        target=query.text("endpoint"),
        state=query.choice("state", _STATES),
        type=query.choice("type", types),
        payment_id=query.text("payment"),
        created_from=query.time("from"),
        created_before=query.time("to"),
    )
    page = await delivery_list.page(database, wanted, after=query.place(), limit=query.page_limit())
    body: dict[str, Any] = {"deliveries": [show(delivery) for delivery in page.deliveries]}
    if page.next is not None:
        body["next"] = cursor(page.next)
    return body


async def replay_many(
    request: Request,
    parts: Dependencies,
    parse: Callable[[bytes, int], ReplayRequest],
    *,
    operator: str | None = None,
) -> dict[str, Any]:
    """Send once more what the request's body asks for; return the answer's body.

    `operator` is the credential of one who asks. Raises what `parse` raises, WebhookEndpointDisabled,
    DatabaseUnavailable, CommitUnknown.
    """
    body = await read_body(request)
    check_media_type(request.headers.get("content-type"))
    asked = await parts.large_work.run(len(body), parse, body, parts.settings.body_nesting_limit)
    try:
        done = await replays.replay_many(parts.database, asked.wanted, after=asked.after, operator=operator)
    except EndpointIsDisabled:
        raise WebhookEndpointDisabled from None
    told: dict[str, Any] = {"replayed": done.count}
    if done.next is not None:
        told["next"] = cursor(done.next)
    return told


async def replay_one(
    database: Database, delivery_id: str, *, merchant_id: str | None, operator: str | None = None
) -> None:
    """Send one once more; `merchant_id` None: anybody's. `operator` is the credential of one who asks.

    Raises NotFound, WebhookEndpointDisabled, DatabaseUnavailable, CommitUnknown.
    """
    try:
        known = await replays.replay(database, delivery_id, merchant_id=merchant_id, operator=operator)
    except EndpointIsDisabled:
        raise WebhookEndpointDisabled from None
    if not known:
        raise NotFound


async def attempts_of(database: Database, delivery_id: str) -> list[dict[str, Any]]:
    return [attempt_object(attempt) for attempt in await delivery_list.attempts(database, delivery_id)]
