"""Route of the merchant's feed of events, for a POS that cannot receive webhooks."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Query
from pydantic import Field

from api.http.dependencies import MerchantId, Wired, merchant
from api.http.errors import InvalidQuery
from api.http.models import Omittable
from api.http.query import PAGE_DEFAULT, Limit, TimeParameter
from api.http.routing import api_router
from api.openapi.components import error_responses
from api.webhooks.delivery_models import Event, EventFeed
from shared.notification.kinds import envelope
from shared.runtime.resilience import failures_logged
from shared.storage.webhooks import feed
from shared.storage.webhooks.feed import FeedEvent

router = api_router("/v1/events", caller=merchant, tag="webhooks")

#: A position, opaque to clients.
_Position = Omittable[Annotated[str, Field(pattern="^[0-9]{1,18}$")]]


@router.get(
    "",
    summary="Return the merchant's events after a cursor",
    response_description="The events after the cursor.",
    responses=error_responses(InvalidQuery("after")),
)
async def list_events(
    dependencies: Wired,
    merchant_id: MerchantId,
    after: Annotated[_Position, Query(description="An earlier answer's `next`; left out: all.")] = None,
    since: Annotated[
        TimeParameter,
        Query(alias="from", description="In place of `after`: from the events of this time on."),
    ] = None,
    limit: Limit = PAGE_DEFAULT,
) -> EventFeed:
    """Return events in the order in which they were committed: none ever appears behind a cursor that was
    given. For a POS that cannot receive webhooks."""
    if after is not None and since is not None:
        raise InvalidQuery("from", "Give `after` or `from`, not both.")
    position = int(after or "0")
    if since is not None:
        position = await feed.position_before(dependencies.database, merchant_id, since)
    page = await feed.read(dependencies.database, merchant_id, after=position, limit=limit)
    return EventFeed(events=_shown(page.events), next=str(page.next), has_more=page.has_more)


def _shown(events: Sequence[FeedEvent]) -> list[Event]:
    """Return the events; one that cannot be shown is left out, so that later ones are read."""
    shown = []
    for event in events:
        with failures_logged("event not shown in the feed", number=event.number):
            shown.append(
                Event(
                    **envelope(
                        number=event.number,
                        payment_id=event.payment_id,
                        sequence=event.sequence,
                        type_=event.type,
                        at=event.at,
                        body=event.body,
                    )
                )
            )
    return shown
