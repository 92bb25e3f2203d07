"""The merchant's feed of events, for receivers that cannot be called."""

import re
from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.http.dependencies import Dependencies
from api.http.errors import InvalidQuery
from api.http.query import Query
from api.http.responses import answer
from api.terminals.service import merchant_of
from shared.notification.kinds import envelope
from shared.runtime.resilience import failures_logged
from shared.storage.webhooks import feed
from shared.storage.webhooks.feed import FeedEvent

router = APIRouter(prefix="/v1/events", include_in_schema=False)

#: A position; a caller takes it for an opaque text.
_CURSOR: Final = re.compile(r"[0-9]{1,18}")


@router.get("")
async def events(request: Request) -> Response:
    """Return what happened after a cursor, in the order in which it was committed."""
    parts: Dependencies = request.app.state.dependencies
    merchant_id = merchant_of(await parts.credentials.merchant(request.headers.get("authorization")))
    query = Query(request, ("after", "limit"))
    page = await feed.read(parts.database, merchant_id, after=_after(query), limit=query.page_limit())
    return answer(200, {"events": _shown(page.events), "next": str(page.next), "has_more": page.has_more})


def _shown(events: Sequence[FeedEvent]) -> list[dict[str, object]]:
    """One that cannot be shown keeps no later one from its reader."""
    shown = []
    for event in events:
        with failures_logged("event not shown in the feed", number=event.number):
            shown.append(
                envelope(
                    number=event.number,
                    payment_id=event.payment_id,
                    sequence=event.sequence,
                    type_=event.type,
                    at=event.at,
                    body=event.body,
                )
            )
    return shown


def _after(query: Query) -> int:
    given = query.text("after") or "0"
    if _CURSOR.fullmatch(given) is None:
        raise InvalidQuery("after", "The parameter should be what an earlier answer named as `next`.")
    return int(given)
