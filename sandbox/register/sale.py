"""One sale at the register: its order, each time it was sent, and what came back."""

import base64
import binascii
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

Json = dict[str, Any]

#: The problem of an asking that never left the register.
NO_NETWORK: Final = "The register's network is unplugged: nothing was sent."


class Standing(StrEnum):
    """What the cashier may believe."""

    WAITING = "waiting"
    PAID = "paid"
    #: Not paid, and it is certain that nothing was charged.
    NOT_PAID = "not paid"
    #: The answer is that nobody knows, or there is no answer: the money may have been taken.
    UNKNOWN = "not known"
    #: The request was not taken: its order or terminal is wrong.
    REFUSED = "refused"


@dataclass(slots=True, eq=False)
class SentOrder:
    """The order sent once. Times in Unix ms."""

    request_id: str
    sent_at_ms: int
    ended_at_ms: int | None = None
    #: HTTP status; None: no answer.
    status: int | None = None
    body: Json | None = None
    #: Why there is no answer.
    problem: str | None = None
    #: What it was: the order, or a look at the payment.
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
        """The payment object of the answer; empty where it has none."""
        found = (self.body or {}).get("payment")
        return found if isinstance(found, dict) else {}

    @property
    def code(self) -> str | None:
        """The error's code: of the terminal, or of the API."""
        body = self.body or {}
        error = body.get("error")
        return str(error.get("code")) if isinstance(error, dict) else body.get("errorCode")

    @property
    def description(self) -> str | None:
        """The error in words."""
        body = self.body or {}
        error = body.get("error")
        if isinstance(error, dict):
            return str(error.get("description") or error.get("message") or "")
        return body.get("errorDescription")

    @property
    def safe_to_retry(self) -> bool | None:
        """Whether money may be taken again; None where the answer does not say."""
        said = self.payment.get("safe_to_retry")
        if said is None:
            error = (self.body or {}).get("error")
            details = error.get("details") if isinstance(error, dict) else None
            said = details.get("safe_to_retry") if isinstance(details, dict) else None
        return said if isinstance(said, bool) else None


@dataclass(slots=True, eq=False)
class Sale:
    """An order of this session. `number` counts them from 1."""

    number: int
    order: Json
    created_at_ms: int
    askings: list[SentOrder] = field(default_factory=list)
    #: What the API last said of the payment while the register waits, see `GET /v1/payments`.
    seen: Json | None = None
    #: What became of the wish to cancel.
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
        return self.askings[-1]

    @property
    def payment(self) -> Json:
        """The newest that is known of the payment."""
        answered = next((one.payment for one in reversed(self.askings) if one.payment), {})
        return answered if not self.is_waiting and answered else self.seen or answered

    @property
    def payment_id(self) -> str | None:
        return self.payment.get("id")

    @property
    def is_waiting(self) -> bool:
        return bool(self.askings) and self.last.is_running

    @property
    def standing(self) -> Standing:
        """Judge the last answer."""
        if self.is_waiting:
            return Standing.WAITING
        answer = self.last
        if answer.status is None:
            return Standing.UNKNOWN
        if (answer.body or {}).get("paymentStatus") == "Success":
            return Standing.PAID
        if answer.what == "look":
            return _standing_of_state(answer)
        if answer.safe_to_retry:
            return Standing.NOT_PAID
        if answer.safe_to_retry is None and 400 <= answer.status < 500:
            return Standing.REFUSED
        return Standing.UNKNOWN

    @property
    def receipt(self) -> str | None:
        """The customer's receipt, where there is one."""
        for sent_order in reversed(self.askings):
            text = (sent_order.body or {}).get("receipt")
            if text:
                try:
                    return base64.b64decode(text).decode("utf-8", "replace")
                except (binascii.Error, TypeError):
                    return None
        return None


def _standing_of_state(answer: SentOrder) -> Standing:
    payment = answer.payment
    if payment.get("state") == "succeeded":
        return Standing.PAID
    return Standing.NOT_PAID if answer.safe_to_retry else Standing.UNKNOWN
