"""Filters, pages and replays of deliveries, for the routes of merchants and of operators."""

from typing import Annotated

from fastapi import Depends, Path, Query

from api.http.errors import NotFound
from api.http.models import Omittable, known
from api.http.query import Text, TimeParameter, cursor
from api.webhooks.delivery_models import Attempt, DeliveryState, Replayed
from api.webhooks.errors import WebhookEndpointDisabled
from shared.storage.administration.audit_trail import Actor
from shared.storage.db.engine import Database
from shared.storage.payments.listing import Place
from shared.storage.webhooks import delivery_list, replays
from shared.storage.webhooks.delivery_list import DeliveryFilter
from shared.storage.webhooks.endpoints import EndpointIsDisabled

#: A path's parameter.
DeliveryId = Annotated[
    str, Path(description="e.g. `dlv_01JNK4T0V8W9A4C6Q2Y3ZB5XDE_1_01JNK4T0V8W9A4C6Q2Y3ZB5XDE`")
]


async def _filters(
    endpoint: Annotated[Text, Query(description="To this endpoint only.")] = None,
    state: Annotated[Omittable[DeliveryState], Query(description="In this state only.")] = None,
    payment: Annotated[Text, Query(description="Of this payment only.")] = None,
    from_: Annotated[TimeParameter, Query(alias="from", description="Written at this time or later.")] = None,
    to: Annotated[TimeParameter, Query(description="Written before this time.")] = None,
) -> DeliveryFilter:
    return DeliveryFilter(
        target=endpoint, state=state, payment_id=payment, created_from=from_, created_before=to
    )


#: The parameters of a list of deliveries that merchants and operators share.
Filters = Annotated[DeliveryFilter, Depends(_filters)]


async def replay_many(
    database: Database, wanted: DeliveryFilter, *, after: Place | None, operator: Actor | None = None
) -> Replayed:
    """Send deliveries once more; `operator`: who asks, for the audit trail.

    Raises WebhookEndpointDisabled, DatabaseUnavailable, CommitUnknown.
    """
    try:
        done = await replays.replay_many(database, wanted, after=after, operator=operator)
    except EndpointIsDisabled:
        raise WebhookEndpointDisabled from None
    return Replayed(replayed=done.count, **known(next=cursor(done.next)))


async def replay_one(
    database: Database, delivery_id: str, *, merchant_id: str | None, operator: Actor | None = None
) -> None:
    """Send one delivery once more; `merchant_id` None: of any merchant.

    `operator`: who asks, for the audit trail. Raises NotFound, WebhookEndpointDisabled,
    DatabaseUnavailable, CommitUnknown.
    """
    try:
        is_found = await replays.replay(database, delivery_id, merchant_id=merchant_id, operator=operator)
    except EndpointIsDisabled:
        raise WebhookEndpointDisabled from None
    if not is_found:
        raise NotFound


async def attempts_of(database: Database, delivery_id: str) -> list[Attempt]:
    """Return the delivery's newest attempts, the oldest of them first."""
    return [Attempt.of(attempt) for attempt in await delivery_list.attempts(database, delivery_id)]
