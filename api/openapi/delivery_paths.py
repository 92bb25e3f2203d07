"""The paths of deliveries and of the feed of events, for the OpenAPI document."""

from typing import Any, Final

from api.http.errors import InvalidQuery, InvalidRequest, NotFound
from api.openapi.components import QUERY_PLACE, QUERY_TEXT, json_body, json_response, parameter
from api.openapi.examples import EXAMPLE_PAYMENT_ID
from api.openapi.payment_paths import usual_errors
from api.openapi.webhook_paths import (
    EXAMPLE_ENDPOINT_ID,
    NEXT,
    TEXT,
    TIME,
    body_errors,
    operation,
    paging,
)
from api.webhooks.errors import WebhookEndpointDisabled
from api.webhooks.replay_request import ENDED, MERCHANTS_TYPES, OPERATORS_REPLAY, ORDER, REPLAY
from shared.notification.kinds import HIPAY, MERCHANT

_POSITION: Final = {**QUERY_PLACE, "pattern": "^[0-9]{1,18}$"}
_COUNT: Final[dict[str, Any]] = {"type": "integer", "minimum": 0}
_STATE: Final = {"type": "string", "enum": ["waiting", *ENDED]}

_DELIVERY: Final[dict[str, Any]] = {
    "id": {"type": "string", "description": "What the receiver reads as `webhook-id`."},
    "endpoint_id": TEXT,
    "type": TEXT,
    "event_id": TEXT,
    "payment_id": {"type": "string", "description": "Left out of a test."},
    "sequence": {"type": "integer", "description": "Which event of its payment, from 1."},
    "state": _STATE,
    "reason": {
        "type": "string",
        "enum": ["gave_up", "gone", "endpoint_disabled"],
        "description": "Why it is dead.",
    },
    "tries": {**_COUNT, "description": "Since it was written or last replayed."},
    "created_at": TIME,
    "first_tried_at": TIME,
    "next_try_at": {**TIME, "description": "While it waits: not before."},
    "is_being_sent": {"type": "boolean"},
    "ended_at": TIME,
}
_ALWAYS: Final = ("id", "type", "sequence", "state", "tries", "created_at", "is_being_sent")
_WHOSE: Final[dict[str, Any]] = {
    "kind": {"type": "string", "enum": [HIPAY, MERCHANT]},
    "merchant_id": TEXT,
}

_ATTEMPTS: Final[dict[str, Any]] = {
    "type": "array",
    "description": "The newest hundred, the oldest of them first.",
    "items": {
        "type": "object",
        "required": ["at", "duration_ms"],
        "properties": {
            "at": TIME,
            "duration_ms": _COUNT,
            "status": {"type": "integer", "description": "HTTP status; left out where none came."},
            "error": {"type": "string", "description": "Why it failed, a stable word."},
            "answer": {
                "type": "string",
                "description": "The first 2 KiB of the answer's body, or why there is none.",
            },
            "location": {
                "type": "string",
                "description": "Where a 3xx redirects to, without its query; it is not followed.",
            },
        },
    },
}

_EVENT: Final[dict[str, Any]] = {
    "type": "object",
    "description": "What a webhook's body is, too.",
    "required": ["type", "event_id", "sequence", "occurred_at"],
    "properties": {
        "type": {"type": "string", "enum": list(MERCHANTS_TYPES)},
        "event_id": TEXT,
        "sequence": {"type": "integer", "minimum": 1, "description": "Which event of its payment."},
        "occurred_at": TIME,
    },
}


def _page(schema: str) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["deliveries"],
        "properties": {
            "deliveries": {"type": "array", "items": {"$ref": f"#/components/schemas/{schema}"}},
            "next": NEXT,
        },
    }


def _object(*parts: dict[str, Any], required: tuple[str, ...]) -> dict[str, Any]:
    properties = {name: schema for part in parts for name, schema in part.items()}
    return {"type": "object", "required": list(required), "properties": properties}


DELIVERY_SCHEMAS: Final[dict[str, Any]] = {
    "Delivery": _object(_DELIVERY, required=_ALWAYS),
    "DeliveryWithAttempts": _object(
        _DELIVERY,
        {"event": {"$ref": "#/components/schemas/Event"}, "attempts": _ATTEMPTS},
        required=(*_ALWAYS, "event", "attempts"),
    ),
    "DeliveryPage": _page("Delivery"),
    "AnyDelivery": _object(_WHOSE, _DELIVERY, required=(*_WHOSE, *_ALWAYS)),
    "AnyDeliveryWithAttempts": _object(
        _WHOSE, _DELIVERY, {"attempts": _ATTEMPTS}, required=(*_WHOSE, *_ALWAYS, "attempts")
    ),
    "AnyDeliveryPage": _page("AnyDelivery"),
    "Replay": REPLAY,
    "OperatorsReplay": OPERATORS_REPLAY,
    "Replayed": {
        "type": "object",
        "required": ["replayed"],
        "properties": {
            "replayed": {**_COUNT, "description": "How many are sent once more."},
            "next": {
                "type": "string",
                "description": "There may be more: the `cursor` of the same request, sent again.",
            },
        },
    },
    "Event": _EVENT,
    "EventFeed": {
        "type": "object",
        "required": ["events", "next", "has_more"],
        "properties": {
            "events": {"type": "array", "items": {"$ref": "#/components/schemas/Event"}},
            "next": {"type": "string", "description": "Opaque; the `after` of the next request."},
            "has_more": {"type": "boolean", "description": "Whether to ask again at once."},
        },
    },
}

_EXAMPLE: Final[dict[str, Any]] = {
    "id": "dlv_01JNK4T0V8W9A4C6Q2Y3ZB5XDE_1_01JNK4T0V8W9A4C6Q2Y3ZB5XDE",
    "endpoint_id": EXAMPLE_ENDPOINT_ID,
    "type": "payment.succeeded",
    "event_id": "evt_01JNK4T0V8W9A4C6Q2Y3ZB5XDE_1",
    "payment_id": EXAMPLE_PAYMENT_ID,
    "sequence": 1,
    "state": "waiting",
    "tries": 1,
    "created_at": "2026-03-05T12:06:58.123Z",
    "first_tried_at": "2026-03-05T12:06:58.311Z",
    "next_try_at": "2026-03-05T12:07:01.480Z",
    "is_being_sent": False,
}
_ATTEMPT_EXAMPLE: Final = {
    "at": "2026-03-05T12:06:58.130Z",
    "duration_ms": 181,
    "status": 503,
    "error": "status",
    "answer": "down for maintenance",
}
_EVENT_EXAMPLE: Final[dict[str, Any]] = {
    "type": "payment.succeeded",
    "event_id": "evt_01JNK4T0V8W9A4C6Q2Y3ZB5XDE_1",
    "sequence": 1,
    "occurred_at": "2026-03-05T12:06:58.123Z",
    "payment_id": EXAMPLE_PAYMENT_ID,
    "order_id": "ORDER_1",
    "operation": "debit",
    "state": "succeeded",
    "safe_to_retry": False,
    "result": {"status": "Success", "amount": 100, "currency": "EUR"},
}
_HIPAYS_EXAMPLE: Final[dict[str, Any]] = {
    "kind": HIPAY,
    "merchant_id": "mer_01JNK4T0V8W9A4C6Q2Y3ZB5XDE",
    "id": "dlv_01JNK4T0V8W9A4C6Q2Y3ZB5XDE_hipay",
    "type": ORDER,
    "payment_id": EXAMPLE_PAYMENT_ID,
    "sequence": 1,
    "state": "delivered",
    "tries": 1,
    "created_at": "2026-03-05T12:06:41.007Z",
    "first_tried_at": "2026-03-05T12:06:41.120Z",
    "is_being_sent": False,
    "ended_at": "2026-03-05T12:06:41.120Z",
}
_REPLAY_EXAMPLE: Final = {"state": "dead", "from": "2026-03-05T12:00:00Z", "endpoint_id": EXAMPLE_ENDPOINT_ID}


def delivery_paths() -> dict[str, Any]:
    """Return the paths under `/v1/webhooks/deliveries`, `/v1/operator/deliveries` and `/v1/events`."""
    own, every = "/v1/webhooks/deliveries", "/v1/operator/deliveries"
    return {
        own: {"get": _list()},
        f"{own}/replay": {"post": _replay_many()},
        own + "/{delivery_id}": {"get": _get()},
        own + "/{delivery_id}/replay": {"post": _replay()},
        "/v1/events": {"get": _feed()},
        every: {"get": _list_all()},
        f"{every}/replay": {"post": _replay_all()},
        every + "/{delivery_id}": {"get": _get_any()},
        every + "/{delivery_id}/replay": {"post": _replay_any()},
    }


def _filters(types: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        parameter("endpoint", "query", QUERY_TEXT, "To this endpoint only."),
        parameter("state", "query", _STATE, "In this state only."),
        parameter("type", "query", {"type": "string", "enum": list(types)}, "Of this type only."),
        parameter("payment", "query", QUERY_TEXT, "Of this payment only."),
        parameter("from", "query", TIME, "Written at this time or later."),
        parameter("to", "query", TIME, "Written before this time."),
        *paging("deliveries"),
    ]


def _delivery_id() -> list[dict[str, Any]]:
    return [parameter("delivery_id", "path", TEXT, f"e.g. `{_EXAMPLE['id']}`")]


def _list() -> dict[str, Any]:
    page = json_response("One page.", "DeliveryPage", {"last page": {"deliveries": [_EXAMPLE]}})
    return operation(
        "listDeliveries",
        "List the merchant's webhook deliveries, newest first",
        {"200": page, **usual_errors([InvalidQuery("state")])},
        parameters=_filters(MERCHANTS_TYPES),
    )


def _get() -> dict[str, Any]:
    shown = {**_EXAMPLE, "event": _EVENT_EXAMPLE, "attempts": [_ATTEMPT_EXAMPLE]}
    return operation(
        "getDelivery",
        "Return a delivery with what it says and with its attempts",
        {
            "200": json_response("The delivery.", "DeliveryWithAttempts", {"tried once": shown}),
            **usual_errors([InvalidQuery("limit")], [NotFound()]),
        },
        parameters=_delivery_id(),
    )


def _replay() -> dict[str, Any]:
    return operation(
        "replayDelivery",
        "Send a delivery once more",
        {
            "202": json_response("It waits.", "Delivery", {"it waits": {**_EXAMPLE, "tries": 0}}),
            **usual_errors([NotFound()], [WebhookEndpointDisabled()]),
        },
        parameters=_delivery_id(),
        description="The same delivery with the same id, tried as if it were new. One that still waits is "
        "due now. Repeatable: it never makes a second one.",
    )


def _replay_many() -> dict[str, Any]:
    return operation(
        "replayDeliveries",
        "Send many deliveries once more",
        {
            "200": json_response("So many wait.", "Replayed", {"all": {"replayed": 12}}),
            **usual_errors(*body_errors(_no_time()), [WebhookEndpointDisabled()]),
        },
        description="Those of disabled endpoints stay as they are.",
        requestBody=json_body("Replay", {"what an endpoint missed": _REPLAY_EXAMPLE}),
    )


def _no_time() -> InvalidRequest:
    return InvalidRequest("format", "should be a time like 2026-03-05T12:06:58.123Z", "from")


def _feed() -> dict[str, Any]:
    limit = {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
    feed = {"events": [_EVENT_EXAMPLE], "next": "42", "has_more": False}
    return operation(
        "listEvents",
        "Return the merchant's events after a cursor",
        {
            "200": json_response("What happened after the cursor.", "EventFeed", {"one": feed}),
            **usual_errors([InvalidQuery("after")]),
        },
        parameters=[
            parameter(
                "after",
                "query",
                _POSITION,
                "What an earlier answer named as `next`; left out: all.",
            ),
            parameter("limit", "query", limit, "How many events at most."),
        ],
        description="For tills that cannot be called. In the order in which events were committed: none ever "
        "appears behind a cursor that was given.",
    )


def _list_all() -> dict[str, Any]:
    kinds = {"type": "string", "enum": [HIPAY, MERCHANT]}
    page = json_response("One page.", "AnyDeliveryPage", {"last page": {"deliveries": [_HIPAYS_EXAMPLE]}})
    return operation(
        "listAllDeliveries",
        "List deliveries of all kinds and merchants, newest first",
        {"200": page, **usual_errors([InvalidQuery("kind")])},
        parameters=[
            parameter("kind", "query", kinds, "HiPay's order notifications, or merchants' webhooks."),
            parameter("merchant", "query", QUERY_TEXT, "Of this merchant only."),
            *_filters((ORDER, *MERCHANTS_TYPES)),
        ],
        security="operator",
    )


def _get_any() -> dict[str, Any]:
    shown = {
        **_HIPAYS_EXAMPLE,
        "attempts": [{"at": "2026-03-05T12:06:41.020Z", "duration_ms": 100, "status": 200}],
    }
    return operation(
        "getAnyDelivery",
        "Return any delivery with its attempts",
        {
            "200": json_response("The delivery.", "AnyDeliveryWithAttempts", {"delivered": shown}),
            **usual_errors([InvalidQuery("limit")], [NotFound()]),
        },
        parameters=_delivery_id(),
        security="operator",
    )


def _replay_any() -> dict[str, Any]:
    waits = {**_HIPAYS_EXAMPLE, "state": "waiting", "tries": 0, "next_try_at": "2026-03-05T13:00:00.000Z"}
    del waits["ended_at"]
    return operation(
        "replayAnyDelivery",
        "Send any delivery once more",
        {
            "202": json_response("It waits.", "AnyDelivery", {"it waits": waits}),
            **usual_errors([NotFound()], [WebhookEndpointDisabled()]),
        },
        parameters=_delivery_id(),
        security="operator",
    )


def _replay_all() -> dict[str, Any]:
    asked = {"kind": HIPAY, "state": "dead", "from": "2026-03-05T12:00:00Z", "to": "2026-03-06T12:00:00Z"}
    return operation(
        "replayAllDeliveries",
        "Send many deliveries of whichever merchant once more",
        {
            "200": json_response("So many wait.", "Replayed", {"all": {"replayed": 12}}),
            **usual_errors(*body_errors(_no_time()), [WebhookEndpointDisabled()]),
        },
        security="operator",
        requestBody=json_body("OperatorsReplay", {"what HiPay missed": asked}),
    )
