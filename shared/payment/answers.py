"""What the caller is told: one table from a payment's state to the HTTP answer."""

from dataclasses import dataclass
from typing import Literal

from shared.payment.payment import Payment, Reason
from shared.payment.states import State

PaymentStatus = Literal["Success", "Failed"]

UNKNOWN_ERROR_CODE = "00"


@dataclass(frozen=True, slots=True)
class Told:
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
KEY_CLOSED = "closed.order.conflict"


def tell(payment: Payment, *, another_attempt_counts: bool = False) -> Told:
    """Return what the caller of this payment is told about it now.

    `another_attempt_counts`: another attempt of its operation is queued, in session, in doubt or succeeded.
    None is there in the transaction that ends this one, which kept the others out until then.
    """
    told = _tell(payment)
    if told.safe_to_retry and (payment.contradicted or payment.key_closed or another_attempt_counts):
        return Told(told.http_status, False, told.payment_status, told.error_code, told.error)
    return told


def _tell(payment: Payment) -> Told:
    match payment.state:
        case State.SUCCEEDED:
            return Told(200, False, "Success")
        case State.REFUSED | State.ABORTED:
            return Told(200, True, "Failed", payment.error_code or UNKNOWN_ERROR_CODE)
        case State.UNREACHABLE if payment.reason == Reason.BUSY:
            return Told(200, True, "Failed", "busy")
        case State.UNREACHABLE:
            return Told(502, True, error=TERMINAL_UNAVAILABLE)
        case State.EXPIRED if payment.reason == Reason.HELD:
            return Told(200, True, "Failed", "busy")
        case State.EXPIRED:
            return Told(504, True, error=PAYMENT_EXPIRED)
        case State.CANCELLED:
            return _tell_cancelled(payment)
        case State.QUEUED | State.IN_SESSION | State.IN_DOUBT:
            return Told(504, False, error=TERMINAL_TIMEOUT)


def _tell_cancelled(payment: Payment) -> Told:
    match payment.reason:
        case Reason.BROKER_AWAY:
            return Told(500, True, error=BROKER_UNAVAILABLE)
        case Reason.KEY_CLOSED:
            return Told(409, False, error=KEY_CLOSED)
        case _:
            return Told(200, True, "Failed", "cancelled")
