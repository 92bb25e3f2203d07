"""A merchant's webhook deliveries: what became of each, and once more."""

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.answering import answer
from api.body import read_body
from api.contract.errors import NotFound, WebhookEndpointDisabled
from api.contract.media_type import check_media_type
from api.contract.moments import cursor
from api.contract.replay_request import MERCHANTS_TYPES, parse_replay
from api.contract.webhook_object import attempt_object, delivery_object
from api.parts import Parts
from api.query import Query
from api.registering import merchant_of
from shared.notification.envelope import envelope
from shared.storage import delivery_contents, delivery_list, replays
from shared.storage.delivery_list import DeliveryFilter, StoredDelivery
from shared.storage.engine import Database
from shared.storage.outbox import MERCHANT
from shared.storage.webhook_endpoints import EndpointIsDisabled

router = APIRouter(prefix="/v1/webhooks/deliveries", include_in_schema=False)

STATES: Final = {state: state for state in ("waiting", "delivered", "dead")}
_TYPES: Final = {type_: type_ for type_ in MERCHANTS_TYPES}
_FILTERS: Final = ("endpoint", "state", "type", "payment", "from", "to", "limit", "cursor")


@router.get("")
async def list_deliveries(request: Request) -> Response:
    """List them, newest first, page by page."""
    parts, merchant_id = await _caller(request)
    query = Query(request, _FILTERS)
    wanted = DeliveryFilter(
        merchant_id=merchant_id,
        kind=MERCHANT,
        target=query.text("endpoint"),
        state=query.choice("state", STATES),
        type=query.choice("type", _TYPES),
        payment_id=query.text("payment"),
        created_from=query.time("from"),
        created_before=query.time("to"),
    )
    page = await delivery_list.page(parts.database, wanted, after=query.place(), limit=query.page_limit())
    body: dict[str, Any] = {"deliveries": [delivery_object(delivery) for delivery in page.deliveries]}
    if page.next is not None:
        body["next"] = cursor(page.next)
    return answer(200, body)


# Before the route of one delivery: a POST to it names no delivery.
@router.post("/replay")
async def replay_many(request: Request) -> Response:
    """Send many once more, by a filter and a range of time."""
    parts, merchant_id = await _caller(request)
    body = await read_body(request, parts.settings.body_limit_bytes)
    check_media_type(request.headers.get("content-type"))
    asked = parse_replay(body, parts.settings.body_nesting_limit, merchant_id)
    return answer(200, await replay_all(parts.database, asked.wanted, asked.after))


@router.get("/{delivery_id}")
async def get(request: Request, delivery_id: str) -> Response:
    """Return one with what it says and with its attempts."""
    parts, merchant_id = await _caller(request)
    Query(request, ())
    delivery = await _own(parts, delivery_id, merchant_id)
    shown = delivery_object(delivery)
    assert delivery.event_number is not None, "a merchant's delivery tells of an event"
    stored = await delivery_contents.events(parts.database, [delivery.event_number])
    event = stored[delivery.event_number]
    shown["event"] = envelope(
        number=event.number,
        payment_id=delivery.payment_id,
        sequence=delivery.sequence,
        type_=delivery.type,
        at=event.at,
        body=event.body,
    )
    return answer(200, {**shown, "attempts": await attempts_of(parts.database, delivery_id)})


@router.post("/{delivery_id}/replay")
async def replay(request: Request, delivery_id: str) -> Response:
    """Send one once more; one that still waits is due now."""
    parts, merchant_id = await _caller(request)
    await replay_one(parts.database, delivery_id, merchant_id=merchant_id)
    return answer(202, delivery_object(await _own(parts, delivery_id, merchant_id)))


async def replay_one(database: Database, delivery_id: str, *, merchant_id: str | None) -> None:
    """Raises NotFound, WebhookEndpointDisabled, DatabaseAway, CommitUnknown."""
    try:
        known = await replays.replay(database, delivery_id, merchant_id=merchant_id)
    except EndpointIsDisabled:
        raise WebhookEndpointDisabled from None
    if not known:
        raise NotFound


async def replay_all(database: Database, wanted: DeliveryFilter, after: Any) -> dict[str, Any]:
    """Return the answer's body. Raises WebhookEndpointDisabled, DatabaseAway, CommitUnknown."""
    try:
        done = await replays.replay_many(database, wanted, after=after)
    except EndpointIsDisabled:
        raise WebhookEndpointDisabled from None
    body: dict[str, Any] = {"replayed": done.count}
    if done.next is not None:
        body["next"] = cursor(done.next)
    return body


async def attempts_of(database: Database, delivery_id: str) -> list[dict[str, Any]]:
    return [attempt_object(attempt) for attempt in await delivery_list.attempts(database, delivery_id)]


async def _own(parts: Parts, delivery_id: str, merchant_id: str) -> StoredDelivery:
    """Return the caller's delivery; HiPay's and other merchants' are as unknown as none. Raises NotFound."""
    found = await delivery_list.get(parts.database, delivery_id)
    if found is None or (found.merchant_id, found.kind) != (merchant_id, MERCHANT):
        raise NotFound
    return found


async def _caller(request: Request) -> tuple[Parts, str]:
    parts: Parts = request.app.state.parts
    return parts, merchant_of(await parts.credentials.merchant(request.headers.get("authorization")))
