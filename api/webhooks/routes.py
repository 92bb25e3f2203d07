"""A merchant's webhook endpoints: register, change, rotate the secret, send a test."""

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.http.body import check_media_type, read_body
from api.http.dependencies import Dependencies
from api.http.query import Query, cursor
from api.http.responses import answer
from api.limits.fair_shares import Share
from api.terminals.service import merchant_of
from api.webhooks.endpoint_request import parse_changes, parse_endpoint, parse_rotation
from api.webhooks.webhook_object import endpoint_object
from shared.runtime.clock import iso_time
from shared.storage.webhooks import endpoints

router = APIRouter(prefix="/v1/webhooks/endpoints", include_in_schema=False)

_ONE: Final = "/{endpoint_id}"


@router.post("")
async def create(request: Request) -> Response:
    """Register an endpoint; its secret is shown in this answer and never again."""
    parts, merchant_id = await _caller(request)
    body = await _body(request)
    nesting_limit = parts.settings.body_nesting_limit
    wanted = await parts.large_work.run(len(body), parse_endpoint, body, nesting_limit)
    shown, secret = await parts.webhooks.create(wanted, merchant_id)
    location = {"Location": f"/v1/webhooks/endpoints/{shown['id']}"}
    return answer(201, {**shown, "secret": secret}, location)


@router.get("")
async def list_endpoints(request: Request) -> Response:
    """List them, the oldest first, page by page."""
    parts, merchant_id = await _caller(request)
    query = Query(request, ("limit", "cursor"))
    found, last = await endpoints.page(
        parts.database, merchant_id, after=query.place(), limit=query.page_limit()
    )
    body: dict[str, Any] = {"endpoints": [endpoint_object(endpoint) for endpoint in found]}
    if last is not None:
        body["next"] = cursor(last)
    return answer(200, body)


@router.get(_ONE)
async def get(request: Request, endpoint_id: str) -> Response:
    parts, merchant_id = await _caller(request)
    Query(request, ())
    return answer(200, await parts.webhooks.show(endpoint_id, merchant_id))


@router.patch(_ONE)
async def change(request: Request, endpoint_id: str) -> Response:
    """Change what is given; the rest stays."""
    parts, merchant_id = await _caller(request)
    body = await _body(request)
    nesting_limit = parts.settings.body_nesting_limit
    changes = await parts.large_work.run(len(body), parse_changes, body, nesting_limit)
    return answer(200, await parts.webhooks.change(endpoint_id, changes, merchant_id))


@router.post(_ONE + "/rotate-secret")
async def rotate_secret(request: Request, endpoint_id: str) -> Response:
    """A new secret signs at once; the earlier ones beside it for a while."""
    parts, merchant_id = await _caller(request)
    settings = parts.settings
    body = await read_body(request)
    if body:
        check_media_type(request.headers.get("content-type"))
    overlap_seconds = await parts.large_work.run(
        len(body),
        parse_rotation,
        body,
        settings.body_nesting_limit,
        default_seconds=settings.webhook_secret_overlap_seconds,
    )
    rotated = await parts.webhooks.rotate_secret(endpoint_id, merchant_id, overlap_seconds)
    shown = {"id": endpoint_id, "secret": rotated.secret}
    if rotated.earlier_until is not None:
        shown["earlier_secrets_sign_until"] = iso_time(rotated.earlier_until)
    return answer(200, shown)


@router.post(_ONE + "/test")
async def send_test(request: Request, endpoint_id: str) -> Response:
    """Send a test event to this endpoint, whatever types it hears of."""
    parts, merchant_id = await _caller(request, Share.ENDPOINT_TESTS)
    return answer(202, {"delivery_id": await parts.webhooks.send_test(endpoint_id, merchant_id)})


async def _caller(request: Request, share: Share = Share.MANAGEMENT) -> tuple[Dependencies, str]:
    parts: Dependencies = request.app.state.dependencies
    authorization = request.headers.get("authorization")
    return parts, merchant_of(await parts.credentials.merchant(authorization, share=share))


async def _body(request: Request) -> bytes:
    body = await read_body(request)
    check_media_type(request.headers.get("content-type"))
    return body
