"""Routes of operators for every delivery: HiPay's order notifications and all merchants' webhooks."""

from dataclasses import replace
from typing import Annotated, Final

import structlog
from fastapi import Query

from api.http.dependencies import Dependencies, Operator, Wired, deciding_operator, operator
from api.http.errors import InvalidQuery, NotFound, or_not_found
from api.http.models import Omittable, known
from api.http.query import Page, Text, cursor
from api.http.routing import api_router
from api.openapi.components import BODY_ERRORS, error_responses
from api.operator.acting import actor_of
from api.webhooks.deliveries import DeliveryId, Filters, attempts_of, replay_many, replay_one
from api.webhooks.delivery_models import (
    AnyDelivery,
    AnyDeliveryPage,
    AnyDeliveryWithAttempts,
    AnyType,
    Kind,
    OperatorsReplay,
    Replayed,
)
from api.webhooks.errors import WebhookEndpointDisabled
from shared.storage.webhooks import delivery_list
from shared.storage.webhooks.delivery_list import StoredDelivery

_PREFIX: Final = "/v1/operator/deliveries"
router = api_router(_PREFIX, caller=operator, tag="operator")
deciding = api_router(_PREFIX, caller=deciding_operator, tag="operator")

_log = structlog.get_logger()


@router.get(
    "",
    summary="List deliveries of all kinds and merchants, newest first",
    response_description="One page.",
    responses=error_responses(InvalidQuery("kind")),
)
async def list_all_deliveries(
    dependencies: Wired,
    page: Page,
    filters: Filters,
    kind: Annotated[
        Omittable[Kind], Query(description="HiPay's order notifications, or merchants' webhooks.")
    ] = None,
    merchant: Annotated[Text, Query(description="Of this merchant only.")] = None,
    event_type: Annotated[Omittable[AnyType], Query(alias="type", description="Of this type only.")] = None,
) -> AnyDeliveryPage:
    """Return the deliveries of all merchants, page by page."""
    wanted = replace(filters, kind=kind, merchant_id=merchant, type=event_type)
    found = await delivery_list.page(dependencies.database, wanted, after=page.after, limit=page.limit)
    deliveries = [AnyDelivery.of(delivery) for delivery in found.deliveries]
    return AnyDeliveryPage(deliveries=deliveries, **known(next=cursor(found.next)))


# Before the route of one delivery: a POST to it names no delivery.
@deciding.post(
    "/replay",
    summary="Send many deliveries of any merchant once more",
    response_description="The number of those that wait.",
    responses=error_responses(*BODY_ERRORS, WebhookEndpointDisabled()),
)
async def replay_all_deliveries(dependencies: Wired, operator: Operator, replay: OperatorsReplay) -> Replayed:
    """Send the deliveries of a filter and a range of time once more."""
    wanted = replay.filter(merchant_id=replay.merchant_id, kind=replay.kind)
    done = await replay_many(dependencies.database, wanted, after=replay.after, operator=actor_of(operator))
    _log.info("deliveries replayed by an operator", replayed=done.replayed, by=operator.id)
    return done


@router.get(
    "/{delivery_id}",
    summary="Return any delivery with its attempts",
    response_description="The delivery.",
    responses=error_responses(InvalidQuery("limit"), NotFound()),
)
async def get_any_delivery(dependencies: Wired, delivery_id: DeliveryId) -> AnyDeliveryWithAttempts:
    """Return the delivery with its newest attempts."""
    delivery = await _found(dependencies, delivery_id)
    attempts = await attempts_of(dependencies.database, delivery_id)
    return AnyDeliveryWithAttempts.of(delivery, attempts=attempts)


@deciding.post(
    "/{delivery_id}/replay",
    status_code=202,
    summary="Send any delivery once more",
    response_description="It waits.",
    responses=error_responses(NotFound(), WebhookEndpointDisabled()),
)
async def replay_any_delivery(
    dependencies: Wired, operator: Operator, delivery_id: DeliveryId
) -> AnyDelivery:
    """Send the delivery once more; one that still waits is due now."""
    await replay_one(dependencies.database, delivery_id, merchant_id=None, operator=actor_of(operator))
    _log.info("delivery replayed by an operator", delivery_id=delivery_id, by=operator.id)
    return AnyDelivery.of(await _found(dependencies, delivery_id))


async def _found(dependencies: Dependencies, delivery_id: str) -> StoredDelivery:
    return or_not_found(await delivery_list.get(dependencies.database, delivery_id))
