"""The response to a payment's client: one table from the payment's state to the HTTP answer."""

from dataclasses import dataclass
from typing import Literal

from shared.payment.payment import Payment, Reason
from shared.payment.states import State

PaymentStatus = Literal["Success", "Failed"]

UNKNOWN_ERROR_CODE = "00"


@dataclass(frozen=True, slots=True)
class ResponseSpec:
    """One row of the table.

    `payment_status` is set where the body is the contract's answer (HTTP 200), `error` (the contract's code)
    where the body is the error envelope. `safe_to_retry` is true only where it is certain that no money
    moved and none can still move.
    """

    http_status: int
    safe_to_retry: bool
    payment_status: PaymentStatus | None = None
    error_code: str | None = None
    error: str | None = None


TERMINAL_TIMEOUT = "timeout.terminal.gateway.timeout"
TERMINAL_UNAVAILABLE = "unavailable.terminal.bad.gateway"
PAYMENT_EXPIRED = "expired.payment.gateway.timeout"
BROKER_UNAVAILABLE = "unavailable.broker.internal.server.error"
ORDER_LOCKED = "closed.order.conflict"


def response_for(payment: Payment, *, another_attempt_blocks: bool = False) -> ResponseSpec:
    """Return the response to this payment's client as of now.

    `another_attempt_blocks`: another attempt of its operation is queued, in session, in doubt or succeeded.
    In the transaction that ends this attempt there is none: it kept the others out until then.
    """
    response_spec = _response_for(payment)
    if response_spec.safe_to_retry and (payment.contradicted or payment.key_closed or another_attempt_blocks):
        return ResponseSpec(
            response_spec.http_status,
            False,
            response_spec.payment_status,
            response_spec.error_code,
            response_spec.error,
        )
    return response_spec


def _response_for(payment: Payment) -> ResponseSpec:
    match payment.state:
        case State.SUCCEEDED:
            return ResponseSpec(200, False, "Success")
        case State.REFUSED | State.ABORTED:
            return ResponseSpec(200, True, "Failed", payment.result.error_code or UNKNOWN_ERROR_CODE)
        case State.UNREACHABLE if payment.reason == Reason.BUSY:
            return ResponseSpec(200, True, "Failed", "busy")
        case State.UNREACHABLE:
            return ResponseSpec(502, True, error=TERMINAL_UNAVAILABLE)
        case State.EXPIRED if payment.reason == Reason.HELD:
            return ResponseSpec(200, True, "Failed", "busy")
        case State.EXPIRED:
            return ResponseSpec(504, True, error=PAYMENT_EXPIRED)
        case State.CANCELLED:
            return _cancelled_response(payment)
        case State.QUEUED | State.IN_SESSION | State.IN_DOUBT:
            return ResponseSpec(504, False, error=TERMINAL_TIMEOUT)


def _cancelled_response(payment: Payment) -> ResponseSpec:
    match payment.reason:
        case Reason.BROKER_UNAVAILABLE:
            return ResponseSpec(500, True, error=BROKER_UNAVAILABLE)
        case Reason.KEY_CLOSED:
            return ResponseSpec(409, False, error=ORDER_LOCKED)
        case _:
            return ResponseSpec(200, True, "Failed", "cancelled")
