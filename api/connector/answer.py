"""The answer of an order: its model for the document, and its renderer from the payment as stored."""

import json
from typing import Any, Final, Literal

from pydantic import Field

from api.http.errors import ApiError, envelope
from api.http.models import Omittable, ResponseBody
from api.payments.errors import (
    BrokerUnavailable,
    OrderLocked,
    PaymentExpired,
    TerminalTimeout,
    TerminalUnavailable,
)
from api.payments.models import Accepted
from api.payments.models import Payment as ShownPayment
from shared.concert.fields import ANSWER_CODES
from shared.concert.receipt import encode_receipt
from shared.payment.answers import ResponseSpec
from shared.payment.payment import Payment, Reason


class Answer(ResponseBody):
    """A payment attempt that ended, in success or in failure."""

    payment_status: Literal["Success", "Failed"] = Field(alias="paymentStatus")
    receipt: Omittable[str] = Field(
        None, description="Customer receipt, UTF-8 text in base64; empty where the terminal gave none."
    )
    error_code: Omittable[str] = Field(
        None,
        alias="errorCode",
        description="On failure: the terminal's two digits (`00` where it gave none), `busy` or `cancelled`.",
    )
    error_description: Omittable[str] = Field(
        None, alias="errorDescription", description="The error code, human-readable."
    )
    error_data: Omittable[dict[str, Any]] = Field(
        None, alias="errorData", description="The payment's state, and its reason where there is one."
    )
    order: Omittable[dict[str, Any]] = Field(None, description="Echo of the request, defaults applied.")
    customer: Omittable[dict[str, Any]] = Field(
        None, description="Echo of the request; empty where it had no customer."
    )
    technical_pos_info: Omittable[dict[str, Any]] = Field(None, description="Echo of `pos_technical_info`.")
    pos_technical_info: Omittable[dict[str, Any]] = Field(
        None, description="The same echo by its other name."
    )
    payment: Omittable[ShownPayment] = None


#: The errors that a stored payment can be answered with.
_ERRORS: Final[dict[str, type[ApiError]]] = {
    error.code: error
    for error in (BrokerUnavailable, OrderLocked, PaymentExpired, TerminalTimeout, TerminalUnavailable)
}

#: Descriptions of our own error codes; the others are the terminal's.
_OUR_ERROR_CODES: Final = {
    "busy": "the terminal was busy with another payment, nothing was attempted",
    "cancelled": "cancelled by the client, nothing was attempted",
}

_CONTRADICTED: Final = "evidence conflicts with the stored outcome; an operator must review it"

#: Descriptions of the reasons why a terminal could not be reached.
_UNREACHABLE: Final[dict[str, str]] = {
    Reason.NO_CONNECTION: "No connection to the terminal came about; nothing was sent to it.",
    Reason.UNEXPECTED_BYTES: "The terminal sent something before it was asked; nothing was sent to it.",
    Reason.NO_ADDRESS: "The terminal's host name has no address; nothing was sent to it.",
    Reason.NOT_SENT: "The request could not be written to the terminal in time; nothing was sent to it.",
}


#: The recorded code of an answer that says only that the payment is accepted, or that shows it alone.
ACCEPTED: Final = "accepted"


def code_of(spec: ResponseSpec) -> str:
    """Return the code by which an answer is recorded."""
    return spec.error or spec.payment_status or ACCEPTED


def render_answer(
    payment: Payment, spec: ResponseSpec, *, replayed: bool = False, resolving: bool | None = None
) -> tuple[int, dict[str, Any]]:
    """Return HTTP status and body for a payment as stored and its row in the table of answers.

    `replayed` marks the stored result of an earlier request. `resolving` says of a payment without an outcome
    whether anything may still settle it by itself.
    """
    shown = ShownPayment.of(
        payment, safe_to_retry=spec.safe_to_retry, replayed=replayed, resolving=resolving
    ).shown()
    if spec.error is not None:
        return spec.http_status, {**_error_body(payment, spec, spec.error), "payment": shown}
    return spec.http_status, {**_answer_body(payment, spec), "payment": shown}


def render_accepted(payment: Payment, spec: ResponseSpec) -> tuple[int, dict[str, Any]]:
    """Return the answer to a client that does not wait (`Prefer: respond-async`)."""
    return 202, Accepted(payment=ShownPayment.of(payment, safe_to_retry=spec.safe_to_retry)).shown()


def _error_body(payment: Payment, spec: ResponseSpec, code: str) -> dict[str, Any]:
    error = _ERRORS[code](details={"safe_to_retry": spec.safe_to_retry})
    description = error.description
    if payment.contradicted:
        description = _CONTRADICTED
    elif isinstance(error, TerminalUnavailable) and payment.reason is not None:
        description = _UNREACHABLE.get(payment.reason, description)
    return envelope(spec.http_status, code, error.message, description, error.details)


def _answer_body(payment: Payment, spec: ResponseSpec) -> dict[str, Any]:
    request = json.loads(payment.request)
    body: dict[str, Any] = {
        "paymentStatus": spec.payment_status,
        "receipt": encode_receipt(payment.result.receipt or ""),
    }
    if spec.error_code is not None:
        body["errorCode"] = spec.error_code
        body["errorDescription"] = _describe(payment, spec.error_code)
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
