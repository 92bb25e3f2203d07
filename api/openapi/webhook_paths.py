"""The paths of webhook endpoints, for the OpenAPI document."""

from typing import Any, Final

from api.http.errors import (
    ApiError,
    BodyTooLarge,
    EncodedBody,
    InvalidQuery,
    InvalidRequest,
    MissingMediaType,
    NotFound,
    UnreadableBody,
    UnsupportedMediaType,
)
from api.openapi.components import QUERY_PLACE, json_body, json_response, parameter, string
from api.openapi.payment_paths import usual_errors
from api.webhooks.endpoint_request import ENDPOINT_CHANGES, NEW_ENDPOINT, ROTATION
from api.webhooks.errors import WebhookEndpointDisabled, WebhookEndpointLimit, WebhookSecretLimit

TEXT: Final[dict[str, Any]] = {"type": "string"}
TIME: Final[dict[str, Any]] = {"type": "string", "format": "date-time"}
NEXT: Final[dict[str, Any]] = {
    "type": "string",
    "description": "The next page's `cursor`; left out on the last page.",
}
EXAMPLE_ENDPOINT_ID: Final = "whe_01JNK4T0V8W9A4C6Q2Y3ZB5XDE"

_SHOWN: Final[dict[str, Any]] = {
    "id": {"type": "string", "description": "`whe_` and a ULID."},
    "url": TEXT,
    "description": TEXT,
    "types": {"type": "array", "items": TEXT, "description": "Empty: all."},
    "disabled": {"type": "boolean"},
    "disabled_because": {
        "type": "string",
        "enum": ["merchant", "gone"],
        "description": "`gone`: it answered 410.",
    },
    "disabled_at": TIME,
    "created_at": TIME,
    "changed_at": TIME,
    "failures": {"type": "integer", "minimum": 0, "description": "Failed tries in a row."},
    "paused_until": {**TIME, "description": "Nothing is sent before, since it failed so often."},
    "secrets": {
        "type": "array",
        "description": "Those that sign now, the newest first.",
        "items": {
            "type": "object",
            "required": ["created_at"],
            "properties": {
                "created_at": TIME,
                "signs_until": {**TIME, "description": "Left out of the newest."},
            },
        },
    },
}
_ALWAYS: Final = (
    "id", "url", "description", "types", "disabled", "created_at", "changed_at", "failures", "secrets",
)  # fmt: skip
_SECRET: Final = {"type": "string", "description": "`whsec_` and base64; never shown again."}

WEBHOOK_SCHEMAS: Final[dict[str, Any]] = {
    "NewWebhookEndpoint": NEW_ENDPOINT,
    "WebhookEndpointChanges": ENDPOINT_CHANGES,
    "SecretRotation": ROTATION,
    "WebhookEndpoint": {"type": "object", "required": list(_ALWAYS), "properties": _SHOWN},
    "CreatedWebhookEndpoint": {
        "type": "object",
        "required": [*_ALWAYS, "secret"],
        "properties": {**_SHOWN, "secret": _SECRET},
    },
    "WebhookEndpointPage": {
        "type": "object",
        "required": ["endpoints"],
        "properties": {
            "endpoints": {"type": "array", "items": {"$ref": "#/components/schemas/WebhookEndpoint"}},
            "next": NEXT,
        },
    },
    "RotatedSecret": {
        "type": "object",
        "required": ["id", "secret"],
        "properties": {
            "id": TEXT,
            "secret": _SECRET,
            "earlier_secrets_sign_until": {**TIME, "description": "Left out where none signs any more."},
        },
    },
    "TestSent": {
        "type": "object",
        "required": ["delivery_id"],
        "properties": {"delivery_id": TEXT},
    },
}

_NEW_EXAMPLE: Final = {
    "url": "https://127.0.0.1/hooks/payments",
    "description": "Accounting",
    "types": ["payment.succeeded", "payment.resolved"],
}
_EXAMPLE: Final = {
    "id": EXAMPLE_ENDPOINT_ID,
    **_NEW_EXAMPLE,
    "disabled": False,
    "created_at": "2026-03-01T08:00:00.000Z",
    "changed_at": "2026-03-01T08:00:00.000Z",
    "failures": 0,
    "secrets": [{"created_at": "2026-03-01T08:00:00.000Z"}],
}
_EXAMPLE_SECRET: Final = "whsec_VGhpcyBpcyBhbiBleGFtcGxlLCBub3QgYSBzZWNyZXQh"  # noqa: S105 - says so itself


def webhook_paths() -> dict[str, Any]:
    """Return the paths under `/v1/webhooks/endpoints`."""
    every = "/v1/webhooks/endpoints"
    one = every + "/{endpoint_id}"
    return {
        every: {"get": _list(), "post": _create()},
        one: {"get": _get(), "patch": _change()},
        f"{one}/rotate-secret": {"post": _rotate()},
        f"{one}/test": {"post": _test()},
    }


def operation(
    name: str,
    summary: str,
    responses: dict[str, Any],
    *,
    parameters: list[dict[str, Any]] | None = None,
    security: str = "basic",
    **more: Any,
) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "security": [{security: []}],
        "parameters": parameters or [],
        **more,
        "responses": responses,
    }


def paging(what: str) -> list[dict[str, Any]]:
    """Return the parameters of a page of `what`."""
    limit = {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
    return [
        parameter("limit", "query", limit, f"How many {what} a page holds."),
        parameter(
            "cursor", "query", QUERY_PLACE, "Where the page begins: what an earlier page named as `next`."
        ),
    ]


def body_errors(wrong: InvalidRequest) -> list[list[ApiError]]:
    return [
        [wrong, UnreadableBody(), MissingMediaType()],
        [BodyTooLarge()],
        [UnsupportedMediaType(), EncodedBody()],
    ]


def _endpoint_id() -> list[dict[str, Any]]:
    return [parameter("endpoint_id", "path", TEXT, f"e.g. `{EXAMPLE_ENDPOINT_ID}`")]


def _bad_url() -> InvalidRequest:
    return InvalidRequest("format", "The URL's host leads to an address that is not public.", "url")


def _one(description: str) -> dict[str, Any]:
    return json_response(description, "WebhookEndpoint", {"endpoint": _EXAMPLE})


def _list() -> dict[str, Any]:
    page = json_response("One page.", "WebhookEndpointPage", {"last page": {"endpoints": [_EXAMPLE]}})
    return operation(
        "listWebhookEndpoints",
        "List the merchant's webhook endpoints, the oldest first",
        {"200": page, **usual_errors([InvalidQuery("limit")])},
        parameters=paging("endpoints"),
    )


def _create() -> dict[str, Any]:
    created = json_response(
        "It hears of what happens from now on.",
        "CreatedWebhookEndpoint",
        {"created": {**_EXAMPLE, "secret": _EXAMPLE_SECRET}},
        {"Location": string("Where the endpoint can be read.")},
    )
    return operation(
        "createWebhookEndpoint",
        "Register an address that hears of payments",
        {"201": created, **usual_errors(*body_errors(_bad_url()), [WebhookEndpointLimit()])},
        description="The secret that signs its webhooks is in this answer and is never shown again.",
        requestBody=json_body("NewWebhookEndpoint", {"usual": _NEW_EXAMPLE}),
    )


def _get() -> dict[str, Any]:
    return operation(
        "getWebhookEndpoint",
        "Return a webhook endpoint",
        {"200": _one("The endpoint."), **usual_errors([InvalidQuery("limit")], [NotFound()])},
        parameters=_endpoint_id(),
    )


def _change() -> dict[str, Any]:
    return operation(
        "changeWebhookEndpoint",
        "Change a webhook endpoint; what is left out stays",
        {
            "200": _one("As it is now."),
            **usual_errors(*body_errors(_bad_url()), [NotFound()], [WebhookEndpointLimit()]),
        },
        parameters=_endpoint_id(),
        description="Disabling ends what waits for it within seconds (`dead`, reason `endpoint_disabled`),"
        " which a replay brings back once it is enabled. Another address, or enabling, ends a pause after"
        " failures.",
        requestBody=json_body(
            "WebhookEndpointChanges", {"disable": {"disabled": True}, "all types": {"types": []}}
        ),
    )


def _rotate() -> dict[str, Any]:
    rotated = {
        "id": EXAMPLE_ENDPOINT_ID,
        "secret": _EXAMPLE_SECRET,
        "earlier_secrets_sign_until": "2026-03-06T12:06:58.123Z",
    }
    wrong = InvalidRequest("minimum", "should be >= 0", "overlap_seconds")
    return operation(
        "rotateWebhookSecret",
        "Let a new secret sign; the earlier ones sign beside it for a while",
        {
            "200": json_response("It signs from now on.", "RotatedSecret", {"rotated": rotated}),
            **usual_errors(*body_errors(wrong), [NotFound()], [WebhookSecretLimit()]),
        },
        parameters=_endpoint_id(),
        requestBody={
            **json_body("SecretRotation", {"it got into wrong hands": {"overlap_seconds": 0}}),
            "required": False,
        },
    )


def _test() -> dict[str, Any]:
    sent = json_response("It is being sent.", "TestSent", {"sent": {"delivery_id": "dlv_test_4711"}})
    return operation(
        "testWebhookEndpoint",
        "Send an event `endpoint.test` to this endpoint",
        {"202": sent, **usual_errors([NotFound()], [WebhookEndpointDisabled()])},
        parameters=_endpoint_id(),
    )
