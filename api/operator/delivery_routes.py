"""Every delivery as operators see it: HiPay's order notifications and all merchants' webhooks."""

from typing import Final

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.http.dependencies import Dependencies
from api.http.errors import NotFound
from api.http.query import Query
from api.http.responses import answer
from api.webhooks import deliveries
from api.webhooks.replay_request import MERCHANTS_TYPES, ORDER, parse_operators_replay
from api.webhooks.webhook_object import operators_delivery_object
from shared.notification.kinds import NOTIFICATION_KINDS
from shared.storage.terminals.merchants import Credential
from shared.storage.webhooks import delivery_list
from shared.storage.webhooks.delivery_list import StoredDelivery

router = APIRouter(prefix="/v1/operator/deliveries", include_in_schema=False)

_log = structlog.get_logger()

_KINDS: Final = {kind: kind for kind in NOTIFICATION_KINDS}
_TYPES: Final = {type_: type_ for type_ in (ORDER, *MERCHANTS_TYPES)}


@router.get("")
async def list_deliveries(request: Request) -> Response:
    """List them, newest first, page by page."""
    parts, _ = await _caller(request)
    query = Query(request, ("kind", "merchant", *deliveries.FILTERS))
    body = await deliveries.list_page(
        parts.database,
        query,
        kind=query.choice("kind", _KINDS),
        merchant_id=query.text("merchant"),
        types=_TYPES,
        show=operators_delivery_object,
    )
    return answer(200, body)


@router.post("/replay")
async def replay_many(request: Request) -> Response:
    """Send many once more, by a filter and a range of time."""
    parts, credential = await _caller(request)
    done = await deliveries.replay_many(request, parts, parse_operators_replay, operator=credential.id)
    _log.info("deliveries replayed by an operator", replayed=done["replayed"], by=credential.id)
    return answer(200, done)


@router.get("/{delivery_id}")
async def get(request: Request, delivery_id: str) -> Response:
    """Return one with its attempts."""
    parts, _ = await _caller(request)
    Query(request, ())
    shown = operators_delivery_object(await _found(parts, delivery_id))
    return answer(200, {**shown, "attempts": await deliveries.attempts_of(parts.database, delivery_id)})


@router.post("/{delivery_id}/replay")
async def replay(request: Request, delivery_id: str) -> Response:
    """Send one once more; one that still waits is due now."""
    parts, credential = await _caller(request)
    await deliveries.replay_one(parts.database, delivery_id, merchant_id=None, operator=credential.id)
    _log.info("delivery replayed by an operator", delivery_id=delivery_id, by=credential.id)
    return answer(202, operators_delivery_object(await _found(parts, delivery_id)))


async def _found(parts: Dependencies, delivery_id: str) -> StoredDelivery:
    found = await delivery_list.get(parts.database, delivery_id)
    if found is None:
        raise NotFound
    return found


async def _caller(request: Request) -> tuple[Dependencies, Credential]:
    parts: Dependencies = request.app.state.dependencies
    return parts, await parts.credentials.operator(request.headers.get("authorization"))
