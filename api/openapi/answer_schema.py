"""Schemas of the answers, for the OpenAPI page."""

from typing import Any, Final

from shared.payment.evidence import Source
from shared.payment.payment import Operation, Reason
from shared.payment.states import State

_TIME: Final[dict[str, Any]] = {"type": "string", "format": "date-time"}

PAYMENT: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Addition of this project: the payment as it is stored. What is not known is left out.",
    "required": [
        "id",
        "order_id",
        "operation",
        "state",
        "safe_to_retry",
        "replayed",
        "amount",
        "currency",
        "created_at",
        "warnings",
    ],
    "properties": {
        "id": {"type": "string", "description": "`pay_` and a ULID, 30 characters."},
        "order_id": {"type": "string"},
        "operation": {"type": "string", "enum": [operation.value for operation in Operation]},
        "state": {"type": "string", "enum": [state.value for state in State]},
        "reason": {
            "type": "string",
            "enum": [reason.value for reason in Reason],
            "description": "Why it is in this state, where the state alone does not say it.",
        },
        "safe_to_retry": {
            "type": "boolean",
            "description": "True only where it is certain that no money moved and none can still move,"
            " by this attempt of the order or by another one.",
        },
        "replayed": {
            "type": "boolean",
            "description": "The stored result of an earlier request for the same operation.",
        },
        "resolving": {
            "type": "boolean",
            "description": "Whether anything may still settle a payment in doubt by itself.",
        },
        "contradicted": {
            "type": "boolean",
            "description": "True where a proof contradicts the stored outcome: a person must look at it.",
        },
        "amount": {
            "type": "integer",
            "description": "In cents: what was really paid, else what was asked for.",
        },
        "currency": {"type": "string"},
        "authorisation_number": {"type": "string"},
        "masked_card": {"type": "string", "description": "First 6 digits at most and last 4."},
        "application": {"type": "string", "description": "Payment application that the customer used."},
        "application_name": {"type": "string"},
        "aid": {"type": "string", "description": "AID of the card application."},
        "created_at": _TIME,
        "claimed_at": {**_TIME, "description": "When a worker took the terminal for it."},
        "doubted_at": {
            **_TIME,
            "description": "When its outcome became unknown, whatever became of it later.",
        },
        "resolved_by": {
            "type": "string",
            "enum": [source.value for source in Source],
            "description": "What settled the doubt.",
        },
        "ended_at": _TIME,
        "held_since": {
            **_TIME,
            "description": "Since when another payment held the terminal, where this one expired waiting.",
        },
        "warnings": {
            "type": "array",
            "items": {"type": "string"},
            "description": "What did not fit and was no reason to refuse, e.g. `basket_total_mismatch`, "
            "`basket_item_total_mismatch`, `partial_amount`.",
        },
    },
}

ANSWER: Final[dict[str, Any]] = {
    "type": "object",
    "description": "A payment attempt that ended, in success or in failure.",
    "required": ["paymentStatus"],
    "properties": {
        "paymentStatus": {"type": "string", "enum": ["Success", "Failed"]},
        "receipt": {
            "type": "string",
            "description": "Customer receipt, UTF-8 text in base64; empty where the terminal gave none.",
        },
        "errorCode": {
            "type": "string",
            "description": "On failure: the terminal's two digits (`00` where it gave none), `busy` or "
            "`cancelled`.",
        },
        "errorDescription": {"type": "string", "description": "The error code in words."},
        "errorData": {
            "type": "object",
            "description": "The payment's state, and its reason where there is one.",
        },
        "order": {"type": "object", "description": "Echo of the request, defaults filled in."},
        "customer": {
            "type": "object",
            "description": "Echo of the request; empty where it had no customer.",
        },
        "technical_pos_info": {"type": "object", "description": "Echo of `pos_technical_info`."},
        "pos_technical_info": {"type": "object", "description": "The same echo by its other name."},
        "payment": {"$ref": "#/components/schemas/Payment"},
    },
}

ACCEPTED: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["payment"],
    "properties": {"payment": {"$ref": "#/components/schemas/Payment"}},
}

ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["status", "code"],
            "properties": {
                "status": {"type": "integer", "description": "The HTTP status."},
                "code": {"type": "string", "description": "Stable name of the error."},
                "message": {"type": "string"},
                "description": {"type": "string"},
                "details": {
                    "type": ["object", "string"],
                    "description": "For a wrong field its `path`; where a payment was asked for, "
                    "`safe_to_retry`. For a 401 a text that names the case.",
                },
            },
        },
        "payment": {"$ref": "#/components/schemas/Payment"},
    },
}
