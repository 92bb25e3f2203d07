"""Routes of a merchant's webhook endpoints: register, change, rotate the secret, send a test."""

from typing import Annotated

from fastapi import Path, Response

from api.http.dependencies import MerchantId, Wired, merchant, testing_merchant
from api.http.entity_tags import Unchanged
from api.http.errors import InvalidQuery, InvalidRequest, NotFound, PreconditionFailed
from api.http.models import Omittable, known
from api.http.query import Page, cursor
from api.http.routing import api_router
from api.openapi.components import BODY_ERRORS, error_responses, string
from api.webhooks.errors import WebhookEndpointDisabled, WebhookEndpointLimit, WebhookSecretLimit
from api.webhooks.models import (
    CreatedWebhookEndpoint,
    NewWebhookEndpoint,
    RotatedSecret,
    SecretRotation,
    TestSent,
    WebhookEndpoint,
    WebhookEndpointChanges,
    WebhookEndpointPage,
)
from shared.runtime.clock import iso_time
from shared.storage.webhooks import endpoints

_PATH = "/v1/webhooks/endpoints"

router = api_router(_PATH, caller=merchant, tag="webhooks")
#: Tests have a share of calls of their own.
tests_router = api_router(_PATH, caller=testing_merchant, tag="webhooks")

_EndpointId = Annotated[str, Path(description="e.g. `whe_01JNK4T0V8W9A4C6Q2Y3ZB5XDE`")]
_BAD_URL = InvalidRequest("format", "The URL's host has an address that is not public.", "url")


@router.post(
    "",
    status_code=201,
    summary="Register an address for events of payments",
    response_description="It gets the events from now on.",
    responses={
        **error_responses(*BODY_ERRORS, _BAD_URL, WebhookEndpointLimit()),
        201: {"headers": {"Location": string("The path of the endpoint.")}},
    },
)
async def create_webhook_endpoint(
    dependencies: Wired, merchant_id: MerchantId, endpoint: NewWebhookEndpoint, response: Response
) -> CreatedWebhookEndpoint:
    """Register an endpoint. The secret that signs its webhooks is in this answer and is never shown again."""
    created, secret = await dependencies.webhooks.create(endpoint, merchant_id)
    response.headers["Location"] = f"{_PATH}/{created.id}"
    return CreatedWebhookEndpoint.of(created, secret=secret)


@router.get(
    "",
    summary="List the merchant's webhook endpoints, the oldest first",
    response_description="One page.",
    responses=error_responses(InvalidQuery("limit")),
)
async def list_webhook_endpoints(
    dependencies: Wired, merchant_id: MerchantId, page: Page
) -> WebhookEndpointPage:
    """Return the merchant's endpoints, page by page."""
    found, last = await endpoints.page(dependencies.database, merchant_id, after=page.after, limit=page.limit)
    shown = [WebhookEndpoint.of(endpoint) for endpoint in found]
    return WebhookEndpointPage(endpoints=shown, **known(next=cursor(last)))


@router.get(
    "/{endpoint_id}",
    summary="Return a webhook endpoint",
    response_description="The endpoint.",
    responses=error_responses(InvalidQuery("limit"), NotFound()),
)
async def get_webhook_endpoint(
    dependencies: Wired, merchant_id: MerchantId, endpoint_id: _EndpointId
) -> WebhookEndpoint:
    """Return the endpoint without its secrets."""
    return WebhookEndpoint.of(await dependencies.webhooks.get(endpoint_id, merchant_id))


@router.patch(
    "/{endpoint_id}",
    summary="Change a webhook endpoint; what is left out stays",
    response_description="The endpoint after the change.",
    responses=error_responses(
        *BODY_ERRORS, _BAD_URL, NotFound(), WebhookEndpointLimit(), PreconditionFailed()
    ),
)
async def change_webhook_endpoint(
    dependencies: Wired,
    merchant_id: MerchantId,
    endpoint_id: _EndpointId,
    changes: WebhookEndpointChanges,
    if_match: Unchanged,
) -> WebhookEndpoint:
    """Change an endpoint. Disabling ends what waits for it within seconds (`dead`, reason
    `endpoint_disabled`); a replay sends it once the endpoint is enabled. Another address, or enabling, ends a
    pause after failures."""
    changed = await dependencies.webhooks.change(endpoint_id, changes, merchant_id, if_match)
    return WebhookEndpoint.of(changed)


@router.post(
    "/{endpoint_id}/rotate-secret",
    summary="Let a new secret sign; the earlier ones sign beside it for a while",
    response_description="It signs from now on.",
    responses=error_responses(*BODY_ERRORS, NotFound(), WebhookSecretLimit()),
)
async def rotate_webhook_secret(
    dependencies: Wired,
    merchant_id: MerchantId,
    endpoint_id: _EndpointId,
    rotation: Omittable[SecretRotation] = None,
) -> RotatedSecret:
    """Return the new secret, which is never shown again."""
    overlap_seconds = dependencies.settings.webhook_secret_overlap_seconds
    if rotation is not None and rotation.overlap_seconds is not None:
        overlap_seconds = rotation.overlap_seconds
    rotated = await dependencies.webhooks.rotate_secret(endpoint_id, merchant_id, overlap_seconds)
    earlier_until = iso_time(rotated.earlier_until)
    return RotatedSecret(
        id=endpoint_id, secret=rotated.secret, **known(earlier_secrets_sign_until=earlier_until)
    )


@tests_router.post(
    "/{endpoint_id}/test",
    status_code=202,
    summary="Send an event `endpoint.test` to this endpoint",
    response_description="It is being sent.",
    responses=error_responses(NotFound(), WebhookEndpointDisabled()),
)
async def test_webhook_endpoint(
    dependencies: Wired, merchant_id: MerchantId, endpoint_id: _EndpointId
) -> TestSent:
    """Send a test event, to whatever types the endpoint subscribes."""
    return TestSent(delivery_id=await dependencies.webhooks.send_test(endpoint_id, merchant_id))
