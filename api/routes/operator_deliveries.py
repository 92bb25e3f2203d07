"""Every delivery as operators see it: HiPay's order notifications and all merchants' webhooks."""

from typing import Any, Final

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.answering import answer
from api.body import read_body
from api.contract.errors import NotFound
from api.contract.media_type import check_media_type
from api.contract.moments import cursor
from api.contract.replay_request import MERCHANTS_TYPES, ORDER, parse_operators_replay
from api.contract.webhook_object import operators_delivery_object
from api.parts import Parts
from api.query import Query
from api.routes.deliveries import STATES, attempts_of, replay_all, replay_one
from shared.storage import delivery_list
from shared.storage.delivery_list import DeliveryFilter, StoredDelivery
from shared.storage.merchants import Credential
from shared.storage.outbox import HIPAY, MERCHANT

router = APIRouter(prefix="/v1/operator/deliveries", include_in_schema=False)

_log = structlog.get_logger()

_KINDS: Final = {kind: kind for kind in (HIPAY, MERCHANT)}
_TYPES: Final = {type_: type_ for type_ in (ORDER, *MERCHANTS_TYPES)}
_FILTERS: Final = (
    "kind", "merchant", "endpoint", "state", "type", "payment", "from", "to", "limit", "cursor",
)  # fmt: skip


@router.get("")
async def list_deliveries(request: Request) -> Response:
    """List them, newest first, page by page."""
    parts, _ = await _caller(request)
    query = Query(request, _FILTERS)
    wanted = DeliveryFilter(
        kind=query.choice("kind", _KINDS),
        merchant_id=query.text("merchant"),
        target=query.text("endpoint"),
        state=query.choice("state", STATES),
        type=query.choice("type", _TYPES),
        payment_id=query.text("payment"),
        created_from=query.time("from"),
        created_before=query.time("to"),
    )
    page = await delivery_list.page(parts.database, wanted, after=query.place(), limit=query.page_limit())
    body: dict[str, Any] = {"deliveries": [operators_delivery_object(found) for found in page.deliveries]}
    if page.next is not None:
        body["next"] = cursor(page.next)
    return answer(200, body)


@router.post("/replay")
async def replay_many(request: Request) -> Response:
    """Send many once more, by a filter and a range of time."""
    parts, credential = await _caller(request)
    body = await read_body(request, parts.settings.body_limit_bytes)
    check_media_type(request.headers.get("content-type"))
    asked = parse_operators_replay(body, parts.settings.body_nesting_limit)
    done = await replay_all(parts.database, asked.wanted, asked.after)
    _log.info("deliveries replayed by an operator", replayed=done["replayed"], by=credential.id)
    return answer(200, done)


@router.get("/{delivery_id}")
async def get(request: Request, delivery_id: str) -> Response:
    """Return one with its attempts."""
    parts, _ = await _caller(request)
    Query(request, ())
    shown = operators_delivery_object(await _found(parts, delivery_id))
    return answer(200, {**shown, "attempts": await attempts_of(parts.database, delivery_id)})


@router.post("/{delivery_id}/replay")
async def replay(request: Request, delivery_id: str) -> Response:
    """Send one once more; one that still waits is due now."""
    parts, credential = await _caller(request)
    await replay_one(parts.database, delivery_id, merchant_id=None)
    _log.info("delivery replayed by an operator", delivery_id=delivery_id, by=credential.id)
    return answer(202, operators_delivery_object(await _found(parts, delivery_id)))


async def _found(parts: Parts, delivery_id: str) -> StoredDelivery:
    found = await delivery_list.get(parts.database, delivery_id)
    if found is None:
        raise NotFound
    return found


async def _caller(request: Request) -> tuple[Parts, Credential]:
    parts: Parts = request.app.state.parts
    return parts, await parts.credentials.operator(request.headers.get("authorization"))
