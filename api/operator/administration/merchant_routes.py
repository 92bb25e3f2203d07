"""Routes of operators for merchants: create, list, change, suspend and resume."""

from typing import Annotated, Final

import structlog
from fastapi import Path, Query

from api.http.dependencies import Operator, Wired, administrator, operator
from api.http.entity_tags import Unchanged
from api.http.errors import InvalidQuery, NotFound, PreconditionFailed, or_not_found
from api.http.models import Omittable, known
from api.http.query import Page, Text, cursor
from api.http.routing import api_router
from api.openapi.components import BODY_ERRORS, error_responses
from api.operator.acting import Reasoned, actor_of
from api.operator.administration.merchant_models import (
    Merchant,
    MerchantChange,
    MerchantPage,
    NewMerchant,
    Suspension,
)
from shared.storage.administration import merchant_register

_PREFIX: Final = "/v1/operator/merchants"
router = api_router(_PREFIX, caller=operator, tag="operator")
administration = api_router(_PREFIX, caller=administrator, tag="operator")

_log = structlog.get_logger()

MerchantId = Annotated[str, Path(description="The merchant's id.")]


@router.get(
    "",
    summary="List merchants, newest first",
    response_description="One page.",
    responses=error_responses(InvalidQuery("limit")),
)
async def list_merchants(
    dependencies: Wired,
    page: Page,
    name: Annotated[Text, Query(description="Those with this text in their name, in any case.")] = None,
    suspended: Annotated[Omittable[bool], Query(description="Those that are suspended, or are not.")] = None,
) -> MerchantPage:
    """Return the merchants, page by page."""
    found, place = await merchant_register.page(
        dependencies.database, name=name, is_suspended=suspended, after=page.after, limit=page.limit
    )
    return MerchantPage(merchants=[Merchant.of(each) for each in found], **known(next=cursor(place)))


@administration.post(
    "",
    status_code=201,
    summary="Create a merchant",
    response_description="It is stored.",
    responses=error_responses(*BODY_ERRORS),
)
async def create_merchant(dependencies: Wired, operator: Operator, body: NewMerchant) -> Merchant:
    """Create a merchant, which has neither credentials nor terminals yet."""
    merchant_id = dependencies.issuer.merchant_id()
    created = await merchant_register.create(
        dependencies.database, merchant_id, body.settings(), actor_of(operator, body.reason)
    )
    _log.info("merchant created", merchant_id=merchant_id, by=operator.id)
    return Merchant.of(created)


@router.get("/{merchant_id}", summary="Return a merchant", responses=error_responses(NotFound()))
async def get_merchant(dependencies: Wired, merchant_id: MerchantId) -> Merchant:
    """Return the merchant with its settings."""
    return Merchant.of(or_not_found(await merchant_register.get(dependencies.database, merchant_id)))


@administration.patch(
    "/{merchant_id}",
    summary="Change a merchant",
    response_description="It was changed; every process knows it within 5 seconds.",
    responses=error_responses(*BODY_ERRORS, NotFound(), PreconditionFailed()),
)
async def change_merchant(
    dependencies: Wired,
    operator: Operator,
    merchant_id: MerchantId,
    body: MerchantChange,
    if_match: Unchanged,
) -> Merchant:
    """Change what is given."""
    changed = await merchant_register.update(
        dependencies.database,
        merchant_id,
        body.apply,
        actor_of(operator, body.reason),
        lambda found: if_match.check(Merchant.of(found)),
    )
    shown = Merchant.of(or_not_found(changed))
    _log.info("merchant changed", merchant_id=merchant_id, by=operator.id)
    return shown


@administration.post(
    "/{merchant_id}/suspend",
    summary="Refuse a merchant's new orders",
    response_description="Every process refuses them within 5 seconds.",
    responses=error_responses(*BODY_ERRORS, NotFound()),
)
async def suspend_merchant(
    dependencies: Wired, operator: Operator, merchant_id: MerchantId, body: Suspension
) -> Merchant:
    """Refuse new orders and probes with the reason. Running sessions end as ever, and are answered; webhooks
    go on."""
    actor = actor_of(operator, body.reason)
    suspended = await merchant_register.suspend(
        dependencies.database, merchant_id, actor.reason or body.reason, actor
    )
    shown = Merchant.of(or_not_found(suspended))
    _log.warning("merchant suspended", merchant_id=merchant_id, by=operator.id)
    return shown


@administration.post(
    "/{merchant_id}/resume",
    summary="Accept a suspended merchant's orders again",
    response_description="Every process accepts them within 5 seconds.",
    responses=error_responses(*BODY_ERRORS, NotFound()),
)
async def resume_merchant(
    dependencies: Wired, operator: Operator, merchant_id: MerchantId, body: Reasoned
) -> Merchant:
    """Accept orders again."""
    actor = actor_of(operator, body.reason)
    resumed = await merchant_register.resume(dependencies.database, merchant_id, actor)
    shown = Merchant.of(or_not_found(resumed))
    _log.info("merchant resumed", merchant_id=merchant_id, by=operator.id)
    return shown
