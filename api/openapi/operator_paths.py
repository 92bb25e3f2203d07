"""The paths of gateways and operators, for the OpenAPI document."""

from typing import Any, Final

from api.http.errors import (
    BodyTooLarge,
    EncodedBody,
    InvalidQuery,
    InvalidRequest,
    LineFree,
    MissingMediaType,
    NotFound,
    PaymentConflict,
    RecordConflict,
    TooEarly,
    UnreadableBody,
    UnsupportedMediaType,
)
from api.openapi.components import json_body, json_response
from api.openapi.examples import EXAMPLE_PAYMENT_ID, PAYMENT_IN_DOUBT, SUCCESS_ANSWER
from api.openapi.payment_paths import EVENT, page_parameters, payment_id_parameter, usual_errors
from api.operator.decision import DECISION, RELEASE
from api.operator.gateway_report import GATEWAY_REPORT
from shared.payment.evidence import Source
from shared.payment.states import State
from shared.storage.payments.operator_actions import Action

_TIME: Final = {"type": "string", "format": "date-time"}
_EVIDENCE: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["at", "source", "detail"],
    "properties": {
        "at": _TIME,
        "source": {"type": "string", "enum": [source.value for source in Source]},
        "proves": {"type": "string", "description": "The event that it proves; left out of a hint."},
        "brought_by": {
            "type": "string",
            "description": "The gateway's credential, the operator's name or the worker's id.",
        },
        "detail": {"type": "object", "description": "What was said; card numbers are masked."},
    },
}

_CASE: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["payment", "merchant_id", "terminal_address", "evidence"],
    "properties": {
        "payment": {"$ref": "#/components/schemas/Payment"},
        "merchant_id": {"type": "string"},
        "terminal_address": {"type": ["string", "null"], "description": "The terminal's `address:port`."},
        "in_doubt_seconds": {"type": "number", "description": "How old the doubt is."},
        "decision_in_seconds": {
            "type": "object",
            "description": "In how many seconds each decision may be taken; 0: now.",
            "properties": {"charged": {"type": "number"}, "not_charged": {"type": "number"}},
        },
        "evidence": {"type": "array", "items": _EVIDENCE},
        "events": {"type": "array", "items": EVENT},
    },
}

OPERATING_SCHEMAS: Final[dict[str, Any]] = {
    "GatewayReport": GATEWAY_REPORT,
    "GatewayVerdict": {
        "type": "object",
        "required": ["payment", "evidence"],
        "properties": {
            "payment": {
                "type": "object",
                "required": ["id", "state"],
                "properties": {"id": {"type": "string"}, "state": {"type": "string"}},
            },
            "evidence": {
                "type": "object",
                "required": ["is_proof", "is_new"],
                "properties": {
                    "is_proof": {"type": "boolean"},
                    "is_new": {"type": "boolean", "description": "False: it was reported before."},
                    "because": {
                        "type": "string",
                        "enum": ["joined", "status", "currency", "amount"],
                        "description": "Why it is a hint.",
                    },
                },
            },
        },
    },
    "OperatorActionPage": {
        "type": "object",
        "required": ["actions"],
        "properties": {
            "actions": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["at", "by", "action", "detail"],
                    "properties": {
                        "at": _TIME,
                        "by": {"type": "string", "description": "The operator's credential."},
                        "action": {"type": "string", "enum": [action.value for action in Action]},
                        "detail": {"type": "object", "description": "What it was done to."},
                    },
                },
            },
            "next": {"type": "string", "description": "The next page's `cursor`; left out on the last page."},
        },
    },
    "Decision": DECISION,
    "Release": RELEASE,
    "Case": _CASE,
    "CasePage": {
        "type": "object",
        "required": ["payments"],
        "properties": {
            "payments": {"type": "array", "items": {"$ref": "#/components/schemas/Case"}},
            "next": {"type": "string", "description": "The next page's `cursor`; left out on the last page."},
        },
    },
}

_REPORT_EXAMPLE: Final = {
    "source": "preludd",
    "record_id": "2026-03-05/000123/completed",
    "reference": EXAMPLE_PAYMENT_ID,
    "status": "completed",
    "amount": 100,
    "currency": "EUR",
    "authorisation_number": "184117",
    "masked_card": "497010******0003",
    "occurred_at": "2026-03-05T12:06:58.123Z",
}
_CASE_EXAMPLE: Final = {
    "payment": PAYMENT_IN_DOUBT,
    "merchant_id": "mer_01JNK4T0V8W9A4C6Q2Y3ZB5XDE",
    "terminal_address": "127.0.0.2:8888",
    "in_doubt_seconds": 75.2,
    "decision_in_seconds": {"charged": 0, "not_charged": 101.3},
    "evidence": [
        {
            "at": "2026-03-05T12:07:02.400Z",
            "source": "gateway",
            "brought_by": "ct_preludd",
            "detail": {"status": "authorised", "amount_cents": 100, "hint_because": "status"},
        }
    ],
}
_PERSON_EXAMPLE: Final = {"name": "Jane Doe", "reason": "The terminal's journal shows it, ticket 0042."}


def operating_paths() -> dict[str, Any]:
    """Return the paths under `/v1/gateway` and `/v1/operator`."""
    one = "/v1/operator/payments/{payment_id}"
    return {
        "/v1/gateway/evidence": {"post": _report()},
        "/v1/operator/doubts": {"get": _cases("listDoubts", "List payments in doubt, the oldest first")},
        "/v1/operator/contradictions": {
            "get": _cases(
                "listContradictions", "List payments whose outcome a proof contradicts, the oldest first"
            )
        },
        "/v1/operator/actions": {"get": _actions()},
        one: {"get": _case()},
        f"{one}/resolve": {"post": _resolve()},
        f"{one}/release": {"post": _release()},
    }


def _body_errors() -> list[list[Any]]:
    wrong = InvalidRequest("required", "should have required property 'name'", "name")
    return [
        [wrong, UnreadableBody(), MissingMediaType()],
        [NotFound()],
        [BodyTooLarge()],
        [UnsupportedMediaType(), EncodedBody()],
    ]


def _report() -> dict[str, Any]:
    verdict = {
        "payment": {"id": EXAMPLE_PAYMENT_ID, "state": "succeeded"},
        "evidence": {"is_proof": True, "is_new": True},
    }
    return {
        "operationId": "reportEvidence",
        "summary": "Report what a gateway knows of a payment",
        "description": "A record is taken once, by `source` and `record_id`; reporting it again is safe.",
        "security": [{"gateway": []}],
        "requestBody": json_body("GatewayReport", {"completed": _REPORT_EXAMPLE}),
        "responses": {
            "200": json_response("Taken, now or before.", "GatewayVerdict", {"proof": verdict}),
            **usual_errors(*_body_errors(), [RecordConflict()]),
        },
    }


def _cases(operation_id: str, summary: str) -> dict[str, Any]:
    return {
        "operationId": operation_id,
        "summary": summary,
        "security": [{"operator": []}],
        "parameters": page_parameters(),
        "responses": {
            "200": json_response("One page.", "CasePage", {"last page": {"payments": [_CASE_EXAMPLE]}}),
            **usual_errors([InvalidQuery("limit")]),
        },
    }


def _actions() -> dict[str, Any]:
    done = {
        "at": "2026-03-05T12:07:02.400Z",
        "by": "ct_operator",
        "action": "sole_use_withdrawn",
        "detail": {
            "merchant_id": "mer_01JNK4T0V8W9A4C6Q2Y3ZB5XDE",
            "terminal_id": "till-1",
            "terminal_address": "127.0.0.2:8888",
        },
    }
    return {
        "operationId": "listOperatorActions",
        "summary": "List what operators did beside payments, newest first",
        "security": [{"operator": []}],
        "parameters": page_parameters(),
        "responses": {
            "200": json_response("One page.", "OperatorActionPage", {"last page": {"actions": [done]}}),
            **usual_errors([InvalidQuery("limit")]),
        },
    }


def _case() -> dict[str, Any]:
    return {
        "operationId": "getCase",
        "summary": "Return any merchant's payment with its evidence and history",
        "security": [{"operator": []}],
        "parameters": [payment_id_parameter()],
        "responses": {
            "200": json_response("The payment.", "Case", {"in doubt": {**_CASE_EXAMPLE, "events": []}}),
            **usual_errors([InvalidQuery("limit")], [NotFound()]),
        },
    }


def _resolve() -> dict[str, Any]:
    return {
        "operationId": "resolveDoubt",
        "summary": "Settle a doubt by a person's word",
        "description": "`charged` from a minute of doubt on, `not_charged` only once the terminal is certain "
        "to have ended what it may have read.",
        "security": [{"operator": []}],
        "parameters": [payment_id_parameter()],
        "requestBody": json_body("Decision", {"charged": {"decision": "charged", **_PERSON_EXAMPLE}}),
        "responses": {
            "200": json_response(
                "Settled so.", "Accepted", {"charged": {"payment": SUCCESS_ANSWER["payment"]}}
            ),
            **usual_errors(
                *_body_errors(),
                [TooEarly(101), PaymentConflict(State.REFUSED, "only one in doubt is decided by a person")],
            ),
        },
    }


def _release() -> dict[str, Any]:
    return {
        "operationId": "releaseTerminalAsOperator",
        "summary": "Ask for the terminal of any merchant's payment in doubt",
        "security": [{"operator": []}],
        "parameters": [payment_id_parameter()],
        "requestBody": json_body("Release", {"release": _PERSON_EXAMPLE}),
        "responses": {
            "202": json_response("Asked for.", "Accepted", {"asked": {"payment": PAYMENT_IN_DOUBT}}),
            **usual_errors(
                *_body_errors(),
                [TooEarly(12), LineFree(), PaymentConflict(State.REFUSED, "it is not in doubt")],
            ),
        },
    }
