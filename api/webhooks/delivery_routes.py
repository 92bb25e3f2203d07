"""A merchant's webhook deliveries: what became of each, and once more."""

from functools import partial
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.http.dependencies import Dependencies
from api.http.errors import NotFound
from api.http.query import Query
from api.http.responses import answer
from api.terminals.service import merchant_of
from api.webhooks import deliveries
from api.webhooks.replay_request import MERCHANTS_TYPES, parse_replay
from api.webhooks.webhook_object import delivery_object
from shared.notification.kinds import MERCHANT, envelope
from shared.storage.webhooks import delivery_contents, delivery_list
from shared.storage.webhooks.delivery_list import StoredDelivery

router = APIRouter(prefix="/v1/webhooks/deliveries", include_in_schema=False)

_TYPES: Final = {type_: type_ for type_ in MERCHANTS_TYPES}


@router.get("")
async def list_deliveries(request: Request) -> Response:
    """List them, newest first, page by page."""
    parts, merchant_id = await _caller(request)
    query = Query(request, deliveries.FILTERS)
    body = await deliveries.list_page(
        parts.database, query, kind=MERCHANT, merchant_id=merchant_id, types=_TYPES, show=delivery_object
    )
    return answer(200, body)


# Before the route of one delivery: a POST to it names no delivery.
@router.post("/replay")
async def replay_many(request: Request) -> Response:
    """Send many once more, by a filter and a range of time."""
    parts, merchant_id = await _caller(request)
    parse = partial(parse_replay, merchant_id=merchant_id)
    return answer(200, await deliveries.replay_many(request, parts, parse))


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
    return answer(200, {**shown, "attempts": await deliveries.attempts_of(parts.database, delivery_id)})


@router.post("/{delivery_id}/replay")
async def replay(request: Request, delivery_id: str) -> Response:
    """Send one once more; one that still waits is due now."""
    parts, merchant_id = await _caller(request)
    await deliveries.replay_one(parts.database, delivery_id, merchant_id=merchant_id)
    return answer(202, delivery_object(await _own(parts, delivery_id, merchant_id)))


async def _own(parts: Dependencies, delivery_id: str, merchant_id: str) -> StoredDelivery:
    """Return the caller's delivery; HiPay's and other merchants' are as unknown as none. Raises NotFound."""
    found = await delivery_list.get(parts.database, delivery_id)
    if found is None or (found.merchant_id, found.kind) != (merchant_id, MERCHANT):
        raise NotFound
    return found


async def _caller(request: Request) -> tuple[Dependencies, str]:
    parts: Dependencies = request.app.state.dependencies
    return parts, merchant_of(await parts.credentials.merchant(request.headers.get("authorization")))
