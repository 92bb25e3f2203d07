"""Renders what the caller of a payment is told: the contract's answer, or its error body."""

import json
from typing import Any, Final

from api.http.errors import (
    ApiError,
    BrokerUnavailable,
    KeyClosed,
    PaymentExpired,
    TerminalTimeout,
    TerminalUnavailable,
    envelope,
)
from api.payments.payment_object import payment_object
from shared.concert.fields import ANSWER_CODES
from shared.concert.receipt import encode_receipt
from shared.payment.answers import ResponseSpec
from shared.payment.payment import Payment, Reason

#: The errors that a stored payment can be answered with.
_ERRORS: Final[dict[str, type[ApiError]]] = {
    error.code: error
    for error in (BrokerUnavailable, KeyClosed, PaymentExpired, TerminalTimeout, TerminalUnavailable)
}

#: The error codes that are ours, in words; the others are the terminal's.
_OUR_ERROR_CODES: Final = {
    "busy": "the terminal was busy with another payment, nothing was attempted",
    "cancelled": "cancelled by the caller, nothing was attempted",
}

_CONTRADICTED: Final = "a proof contradicts the stored outcome, a person must look at it"

#: Why the terminal could not be reached, in words.
_UNREACHABLE: Final[dict[str, str]] = {
    Reason.NO_CONNECTION: "No connection to the terminal came about; nothing was sent to it.",
    Reason.UNEXPECTED_BYTES: "The terminal sent something before it was asked; nothing was sent to it.",
    Reason.NO_ADDRESS: "The terminal's host name has no address; nothing was sent to it.",
    Reason.NOT_SENT: "The request could not be written to the terminal in time; nothing was sent to it.",
}


def render_answer(
    payment: Payment, told: ResponseSpec, *, replayed: bool = False, resolving: bool | None = None
) -> tuple[int, dict[str, Any]]:
    """Return HTTP status and body for a payment as stored and what the table of answers says about it.

    `replayed` marks the stored result of an earlier request. `resolving` says of a payment without an outcome
    whether anything may still settle it by itself.
    """
    shown = payment_object(payment, safe_to_retry=told.safe_to_retry, replayed=replayed, resolving=resolving)
    if told.error is not None:
        return told.http_status, {**_error_body(payment, told, told.error), "payment": shown}
    return told.http_status, {**_answer_body(payment, told), "payment": shown}


def render_accepted(
    payment: Payment, told: ResponseSpec, *, replayed: bool = False
) -> tuple[int, dict[str, Any]]:
    """Return the answer to a caller who does not wait (`Prefer: respond-async`)."""
    return 202, {"payment": payment_object(payment, safe_to_retry=told.safe_to_retry, replayed=replayed)}


def _error_body(payment: Payment, told: ResponseSpec, code: str) -> dict[str, Any]:
    error = _ERRORS[code](details={"safe_to_retry": told.safe_to_retry})
    description = error.description
    if payment.contradicted:
        description = _CONTRADICTED
    elif isinstance(error, TerminalUnavailable) and payment.reason is not None:
        description = _UNREACHABLE.get(payment.reason, description)
    return envelope(told.http_status, code, error.message, description, error.details)


def _answer_body(payment: Payment, told: ResponseSpec) -> dict[str, Any]:
    request = json.loads(payment.request)
    body: dict[str, Any] = {
        "paymentStatus": told.payment_status,
        "receipt": encode_receipt(payment.result.receipt or ""),
    }
    if told.error_code is not None:
        body["errorCode"] = told.error_code
        body["errorDescription"] = _describe(payment, told.error_code)
        body["errorData"] = _error_data(payment)
    # The two published files name the last echo differently.
    body["order"] = request["order"]
    body["customer"] = request.get("customer", {})
    body["technical_pos_info"] = request["pos_technical_info"]
    body["pos_technical_info"] = request["pos_technical_info"]
    return body


def _describe(payment: Payment, error_code: str) -> str:
    if payment.contradicted:
        return _CONTRADICTED
    if error_code in _OUR_ERROR_CODES:
        return _OUR_ERROR_CODES[error_code]
    return payment.result.error_description or ANSWER_CODES.get(error_code, "unknown")


def _error_data(payment: Payment) -> dict[str, Any]:
    data = {"state": payment.state.value}
    if payment.reason is not None:
        data["reason"] = payment.reason
    return data
