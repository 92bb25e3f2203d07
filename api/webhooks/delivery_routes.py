"""Routes of a merchant's webhook deliveries: list them, return one, send them once more."""

from dataclasses import replace
from typing import Annotated

from fastapi import Query

from api.http.dependencies import Dependencies, MerchantId, Wired, merchant
from api.http.errors import InvalidQuery, NotFound
from api.http.models import Omittable, known
from api.http.query import Page, cursor
from api.http.routing import api_router
from api.openapi.components import BODY_ERRORS, error_responses
from api.webhooks.deliveries import DeliveryId, Filters, attempts_of, replay_many, replay_one
from api.webhooks.delivery_models import (
    Delivery,
    DeliveryPage,
    DeliveryWithAttempts,
    Event,
    MerchantsType,
    Replay,
    Replayed,
)
from api.webhooks.errors import WebhookEndpointDisabled
from shared.notification.kinds import MERCHANT, envelope
from shared.storage.webhooks import delivery_contents, delivery_list
from shared.storage.webhooks.delivery_list import StoredDelivery

router = api_router("/v1/webhooks/deliveries", caller=merchant, tag="webhooks")


@router.get(
    "",
    summary="List the merchant's webhook deliveries, newest first",
    response_description="One page.",
    responses=error_responses(InvalidQuery("state")),
)
async def list_deliveries(
    dependencies: Wired,
    merchant_id: MerchantId,
    page: Page,
    filters: Filters,
    event_type: Annotated[
        Omittable[MerchantsType], Query(alias="type", description="Of this type only.")
    ] = None,
) -> DeliveryPage:
    """Return the merchant's deliveries, page by page."""
    wanted = replace(filters, merchant_id=merchant_id, kind=MERCHANT, type=event_type)
    found = await delivery_list.page(dependencies.database, wanted, after=page.after, limit=page.limit)
    deliveries = [Delivery.of(delivery) for delivery in found.deliveries]
    return DeliveryPage(deliveries=deliveries, **known(next=cursor(found.next)))


# Before the route of one delivery: a POST to it names no delivery.
@router.post(
    "/replay",
    summary="Send many deliveries once more",
    response_description="The number of those that wait.",
    responses=error_responses(*BODY_ERRORS, WebhookEndpointDisabled()),
)
async def replay_deliveries(dependencies: Wired, merchant_id: MerchantId, replay: Replay) -> Replayed:
    """Send the deliveries of a filter and a range of time once more. Those of disabled endpoints stay as they
    are."""
    wanted = replay.filter(merchant_id=merchant_id, kind=MERCHANT)
    return await replay_many(dependencies.database, wanted, after=replay.after)


@router.get(
    "/{delivery_id}",
    summary="Return a delivery with its event and its attempts",
    response_description="The delivery.",
    responses=error_responses(InvalidQuery("limit"), NotFound()),
)
async def get_delivery(
    dependencies: Wired, merchant_id: MerchantId, delivery_id: DeliveryId
) -> DeliveryWithAttempts:
    """Return the delivery with its newest attempts."""
    delivery = await _own(dependencies, delivery_id, merchant_id)
    assert delivery.event_number is not None, "a merchant's delivery has an event"
    stored = await delivery_contents.events(dependencies.database, [delivery.event_number])
    event = stored[delivery.event_number]
    shown = envelope(
        number=event.number,
        payment_id=delivery.payment_id,
        sequence=delivery.sequence,
        type_=delivery.type,
        at=event.at,
        body=event.body,
    )
    attempts = await attempts_of(dependencies.database, delivery_id)
    return DeliveryWithAttempts.of(delivery, event=Event(**shown), attempts=attempts)


@router.post(
    "/{delivery_id}/replay",
    status_code=202,
    summary="Send a delivery once more",
    response_description="It waits.",
    responses=error_responses(NotFound(), WebhookEndpointDisabled()),
)
async def replay_delivery(dependencies: Wired, merchant_id: MerchantId, delivery_id: DeliveryId) -> Delivery:
    """Send the same delivery with the same id, tried as if it were new. One that still waits is due now.
    Repeatable: it never makes a second one."""
    await replay_one(dependencies.database, delivery_id, merchant_id=merchant_id)
    return Delivery.of(await _own(dependencies, delivery_id, merchant_id))


async def _own(dependencies: Dependencies, delivery_id: str, merchant_id: str) -> StoredDelivery:
    """Return the merchant's webhook delivery. Raises NotFound, for HiPay's and other merchants', too."""
    found = await delivery_list.get(dependencies.database, delivery_id)
    if found is None or (found.merchant_id, found.kind) != (merchant_id, MERCHANT):
        raise NotFound
    return found
