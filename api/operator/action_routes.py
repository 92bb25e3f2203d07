"""Routes of the operators' actions beside payments."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.http.cursors import cursor
from api.http.dependencies import Parts
from api.http.query import Query
from api.http.responses import answer
from shared.runtime.clock import iso_time
from shared.storage.payments import operator_actions

router = APIRouter(prefix="/v1/operator/actions", include_in_schema=False)


@router.get("")
async def list_actions(request: Request) -> Response:
    """List them, newest first, page by page."""
    parts: Parts = request.app.state.parts
    await parts.credentials.operator(request.headers.get("authorization"))
    query = Query(request, ("limit", "cursor"))
    found, place = await operator_actions.page(parts.database, after=query.place(), limit=query.page_limit())
    body: dict[str, Any] = {
        "actions": [
            {"at": iso_time(each.at), "by": each.by, "action": each.action, "detail": each.detail}
            for each in found
        ]
    }
    if place is not None:
        body["next"] = cursor(place)
    return answer(200, body)
