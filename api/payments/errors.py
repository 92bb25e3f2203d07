"""Errors of payments and orders; `api/http/errors.py` draws the tree of all."""

import math
from typing import Any, Final

from api.http.errors import ApiError, Conflict, Forbidden, Overloaded
from api.http.logins.errors import TooManyRequests
from api.payments.models import Payment as ShownPayment
from shared.payment import answers
from shared.payment.payment import Payment
from shared.payment.states import State


class MerchantSuspended(Forbidden):
    """An operator suspended the merchant: no new order is taken, nothing was sent."""

    code = "suspended.forbidden"
    description = "The merchant is suspended."

    def __init__(self, because: str) -> None:
        super().__init__(f"The merchant is suspended: {because.rstrip('.')}.")


ORDER_CONFLICTS: Final = {
    "used": "The order was paid before and its stored result is no longer given; use a new order_id.",
    "different": "An attempt of this order with another amount or terminal counts.",
    "live": "The order's debit has no result yet.",
    "no_debit": "The order's debit did not succeed.",
    "terminal": "A reversal goes to the terminal of its debit.",
    "amount": "The amount does not fit what was really paid.",
    "credited": "The order's debit was credited, or a credit is running.",
    "reversed": "The order's debit was reversed, or a reversal is running.",
    "unknown": "No debit of this order is known here.",
    "ambiguous": "The order was charged more than once; a new Idempotency-Key means another charge of it.",
}


class OrderConflict(Conflict):
    """The order's earlier operations forbid this one."""

    def __init__(
        self, reason: str, description: str | None = None, *, payment: Payment | None = None
    ) -> None:
        """`reason` is a key of ORDER_CONFLICTS."""
        self.code = f"{reason}.order.conflict"
        super().__init__(description or ORDER_CONFLICTS[reason], payment=payment)


class OrderLocked(Conflict):
    """A proof contradicts an attempt of this order, or a reversal of it: the order is locked for review."""

    code = answers.ORDER_LOCKED
    description = (
        "An earlier attempt of this order, or a reversal of it, is contradicted by a proof;"
        " the order takes no more attempts."
    )


class KeyConflict(Conflict):
    """The Idempotency-Key was used for another operation."""

    code = "used.key.conflict"
    description = "The Idempotency-Key belongs to another operation."


class PaymentConflict(Conflict):
    """The payment's state forbids what was asked of it."""

    def __init__(
        self,
        state: State,
        wanted: str,
        *,
        payment: Payment | None = None,
        response: answers.ResponseSpec | None = None,
    ) -> None:
        """`wanted` ends the sentence, e.g. `it can be cancelled only while it is queued`; `response` is the
        payment's row in the table of answers."""
        self.code = f"{state}.payment.conflict"
        # The request changed nothing: the answer shows the stored payment.
        self._safe_to_retry = response is not None and response.safe_to_retry
        super().__init__(
            f"The payment is {state}: {wanted}.",
            details={"safe_to_retry": self._safe_to_retry},
            payment=payment,
        )

    def body(self) -> dict[str, Any]:
        body = super().body()
        if self.payment is not None:
            body["payment"] = ShownPayment.of(self.payment, safe_to_retry=self._safe_to_retry).shown()
        return body


class TooEarly(Conflict):
    """Too early: the terminal proves nothing yet; `details` has the seconds that are left."""

    code = "early.payment.conflict"

    def __init__(self, seconds_left: float, *, payment: Payment | None = None) -> None:
        # Whole seconds, so that one who waits as long does not come a moment too early.
        whole_seconds = math.ceil(seconds_left)
        super().__init__(
            "It is too early for that: what was sent to the terminal could still be carried out. Try again in"
            f" {whole_seconds} s.",
            details={"safe_to_retry": False, "seconds_left": whole_seconds},
            payment=payment,
        )
        self.headers = {"Retry-After": str(whole_seconds)}


class TerminalFree(Conflict):
    """The payment is in doubt and has no lease of its terminal any more: there is nothing to release."""

    code = "free.terminal.conflict"
    description = "The payment does not hold the terminal any more."


class RecordConflict(Conflict):
    """The gateway's record was reported before with another content."""

    code = "used.record.conflict"
    description = "The record was reported before with another content."


class TooManyOrders(TooManyRequests):
    """The credential sends more orders than its share; this one was not accepted."""

    code = "rate.order.too.many.requests"
    description = "This credential sends too many orders; nothing was accepted, send it again later."
    safe_to_retry = True


class TooManyOpenPayments(TooManyOrders):
    """The merchant has as many payments queued, in session and in doubt as it may."""

    code = "open.payment.too.many.requests"
    description = (
        "The merchant has as many open payments as it may; nothing was accepted. Cancel queued ones, or have"
        " doubts settled."
    )


class TooManyStoredBytes(TooManyOrders):
    """The merchant's orders of today are as many bytes as it may store a day."""

    code = "bytes.order.too.many.requests"
    description = (
        "The merchant's orders of today are as large as may be stored a day; nothing was accepted. Send less,"
        " or wait for the next day (UTC)."
    )


class BrokerUnavailable(ApiError):
    """The broker is unavailable: the payment was cancelled before anything was sent."""

    code = answers.BROKER_UNAVAILABLE
    description = "The message broker is unavailable; nothing was sent to the terminal, send the order again."
    safe_to_retry = True


class TerminalUnavailable(ApiError):
    """The terminal is off or has no network: certainly nothing was sent."""

    status = 502
    code = answers.TERMINAL_UNAVAILABLE
    description = "The terminal cannot be reached; nothing was sent to it."
    safe_to_retry = True


class Contended(Overloaded):
    """Too many equal requests at once: this one could neither be stored nor join another."""

    code = "contended.order.service.unavailable"
    description = "Too much contention on this order; send the same order again after 1 s."
    safe_to_retry = False


class TerminalTimeout(ApiError):
    """No valid answer in time: the outcome may be unknown."""

    status = 504
    code = answers.TERMINAL_TIMEOUT
    description = (
        "The terminal gave no valid answer in time; whether the customer was charged is not known yet."
    )
    safe_to_retry = False


class PaymentExpired(ApiError):
    """No worker took the payment in time: nothing was sent."""

    status = 504
    code = answers.PAYMENT_EXPIRED
    description = "The payment expired before anything was sent to the terminal."
    safe_to_retry = True
