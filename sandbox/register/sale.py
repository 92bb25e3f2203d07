"""One sale at the register: its order, its requests, and their answers."""

import base64
import binascii
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from sandbox.register.draft import Operation

Json = dict[str, Any]

#: Problem of a request that never left the register.
NO_NETWORK: Final = "The register's network is unplugged: nothing was sent."


class Standing(StrEnum):
    """The sale's result, as far as the cashier can know it."""

    WAITING = "waiting"
    PAID = "paid"
    #: The debit of a reversal does not count any more.
    REVERSED = "reversed"
    #: A credit: the customer has the money back.
    REFUNDED = "refunded"
    #: Not paid, and nothing was charged.
    NOT_PAID = "not paid"
    #: In doubt, or without an answer: the card may have been charged.
    UNKNOWN = "not known"
    #: The API refused the request: its order or terminal is wrong.
    REFUSED = "refused"


#: Standing of a sale that succeeded.
_DONE: Final = {
    Operation.DEBIT: Standing.PAID,
    Operation.REVERSAL: Standing.REVERSED,
    Operation.CREDIT: Standing.REFUNDED,
}


@dataclass(slots=True, eq=False)
class SentOrder:
    """One request to the API: the order, or a look-up of its payment. Times in Unix ms."""

    request_id: str
    sent_at_ms: int
    ended_at_ms: int | None = None
    #: HTTP status; None: no answer.
    status: int | None = None
    body: Json | None = None
    #: Reason where there is no answer.
    problem: str | None = None
    #: `order` or `look`, a look-up of the payment.
    what: str = "order"

    @property
    def is_running(self) -> bool:
        return self.ended_at_ms is None

    @property
    def was_sent(self) -> bool:
        return self.problem != NO_NETWORK

    @property
    def duration_ms(self) -> int | None:
        return None if self.ended_at_ms is None else self.ended_at_ms - self.sent_at_ms

    @property
    def payment(self) -> Json:
        """Return the answer's payment object; empty where it has none."""
        found = (self.body or {}).get("payment")
        return found if isinstance(found, dict) else {}

    @property
    def code(self) -> str | None:
        """Return the error's code: the terminal's, or the API's."""
        body = self.body or {}
        error = body.get("error")
        return str(error.get("code")) if isinstance(error, dict) else body.get("errorCode")

    @property
    def description(self) -> str | None:
        """Return the error's description."""
        body = self.body or {}
        error = body.get("error")
        if isinstance(error, dict):
            return str(error.get("description") or error.get("message") or "")
        return body.get("errorDescription")

    @property
    def safe_to_retry(self) -> bool | None:
        """Return whether a retry is safe; None where the answer does not say."""
        flag = self.payment.get("safe_to_retry")
        if flag is None:
            error = (self.body or {}).get("error")
            details = error.get("details") if isinstance(error, dict) else None
            flag = details.get("safe_to_retry") if isinstance(details, dict) else None
        return flag if isinstance(flag, bool) else None


@dataclass(frozen=True, slots=True)
class Holder:
    """The payment that holds the terminal; `order_id` None: the API names none of this merchant's."""

    order_id: str | None = None
    since: str | None = None


@dataclass(slots=True, eq=False)
class Sale:
    """An order of this session. `number` counts them from 1."""

    number: int
    order: Json
    created_at_ms: int
    sent_orders: list[SentOrder] = field(default_factory=list)
    #: The payment by the newest `GET /v1/payments` while the register waits.
    seen: Json | None = None
    #: The payment that holds the terminal while this one waits for it.
    holder: Holder | None = None
    #: Result of a cancellation.
    note: str | None = None

    @property
    def order_id(self) -> str:
        return str(self.order["order"]["order_id"])

    @property
    def operation(self) -> str:
        return str(self.order["order"]["transaction_type"])

    @property
    def amount_cents(self) -> int:
        return int(self.order["order"]["price"]["amount"])

    @property
    def last(self) -> SentOrder:
        return self.sent_orders[-1]

    @property
    def payment(self) -> Json:
        """Return the newest known payment object."""
        answered = next((one.payment for one in reversed(self.sent_orders) if one.payment), {})
        return answered if not self.is_waiting and answered else self.seen or answered

    @property
    def payment_id(self) -> str | None:
        return self.payment.get("id")

    @property
    def terminal_id(self) -> str:
        return str(self.order["pos_technical_info"]["terminal_id"])

    @property
    def is_done(self) -> bool:
        return self.standing in _DONE.values()

    @property
    def is_waiting(self) -> bool:
        return bool(self.sent_orders) and self.last.is_running

    @property
    def standing(self) -> Standing:
        """Return the standing by the last answer."""
        if self.is_waiting:
            return Standing.WAITING
        answer = self.last
        if answer.status is None:
            return Standing.UNKNOWN
        if (answer.body or {}).get("paymentStatus") == "Success":
            return self._done
        if answer.what == "look":
            return self._standing_of_state(answer)
        if answer.safe_to_retry:
            return Standing.NOT_PAID
        if answer.safe_to_retry is None and 400 <= answer.status < 500:
            return Standing.REFUSED
        return Standing.UNKNOWN

    @property
    def result(self) -> str:
        """Return the standing in the words of the sale's operation."""
        if self.standing is Standing.NOT_PAID:
            return f"not {self._done}"
        return self.standing

    @property
    def _done(self) -> Standing:
        return _DONE[Operation(self.operation)]

    def _standing_of_state(self, answer: SentOrder) -> Standing:
        if answer.payment.get("state") == "succeeded":
            return self._done
        return Standing.NOT_PAID if answer.safe_to_retry else Standing.UNKNOWN

    @property
    def receipt(self) -> str | None:
        """Return the customer's receipt; None where there is none."""
        for sent_order in reversed(self.sent_orders):
            text = (sent_order.body or {}).get("receipt")
            if text:
                try:
                    return base64.b64decode(text).decode("utf-8", "replace")
                except (binascii.Error, TypeError):
                    return None
        return None
