"""Errors of webhook endpoints; `api/http/errors.py` draws the tree of all."""

from api.http.errors import BadRequest, Conflict


class UnknownWebhookEndpoint(BadRequest):
    """The merchant has no endpoint of that `order.webhook_endpoint_id`."""

    code = "unknown.webhook_endpoint.bad.request"
    description = "The merchant has no webhook endpoint of this webhook_endpoint_id."


class WebhookEndpointDisabled(Conflict):
    """A test or a replay for an endpoint that receives nothing."""

    code = "disabled.webhook_endpoint.conflict"
    description = "The webhook endpoint is disabled; enable it first."
    safe_to_retry = None


class WebhookEndpointLimit(Conflict):
    """The merchant has as many endpoints that are not disabled as it may."""

    code = "limit.webhook_endpoint.conflict"
    description = "The merchant has as many webhook endpoints as it may; disable one first."
    safe_to_retry = None


class WebhookSecretLimit(Conflict):
    """So many secrets of the endpoint sign at this moment that no other may be added."""

    code = "secrets.webhook_endpoint.conflict"
    description = "Too many earlier secrets still sign; rotate with a shorter overlap_seconds."
    safe_to_retry = None
