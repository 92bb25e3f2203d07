"""Acceptance of one operation that is never done twice: what may have arrived is looked for, then sent again.

The same operation with the same key joins what runs already, so that sending it once more is no second one.
"""

import time
from dataclasses import dataclass
from typing import Any, Final

import httpx

from cli.payments.following import payment_in
from cli.process import EXIT_UNAVAILABLE, fail
from cli.remote.client import Api, refused
from shared.payment.payment import Operation
from shared.payment.states import FINAL_STATES, State

_ORDER_PATH: Final = "/v1/connector/order"
_PAUSES_SECONDS: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
#: Errors before any byte of the request left.
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


#: The contract's names of operations.
_TRANSACTION_TYPES: Final = {
    Operation.DEBIT: "Debit",
    Operation.REVERSAL: "Cancel",
    Operation.CREDIT: "Credit",
}


@dataclass(frozen=True, slots=True)
class Sale:
    """A debit, reversal or credit of an order, and the key that names this operation.

    `place` names the terminal, as `pos_technical_info` does.
    """

    operation: Operation
    order_id: str
    cents: int
    place: dict[str, Any]
    idempotency_key: str

    @property
    def body(self) -> dict[str, Any]:
        """The order's request."""
        return {
            "order": {
                "order_id": self.order_id,
                "transaction_type": _TRANSACTION_TYPES[self.operation],
                "price": {"amount": self.cents},
            },
            "pos_technical_info": {**self.place, "terminal_transaction_display": {"contract_array": []}},
        }

    def is_attempt(self, payment: dict[str, Any]) -> bool:
        """Return whether a payment of the order may be an attempt of this operation."""
        if payment["operation"] != self.operation:
            return False
        # The order alone names its debit; it may have several credits.
        return self.operation is Operation.DEBIT or payment["amount"] == self.cents


def attempts_before(server: Api, sale: Sale) -> list[dict[str, Any]]:
    """Return the order's payments before anything is sent, the newest first. Raises typer.Exit."""
    found: list[dict[str, Any]] = server.get("/v1/payments", order_id=sale.order_id, limit=100)["payments"]
    return found


def given_back_before(sale: Sale, before: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return an equal reversal or credit that was done, or may still be: with another key this would be a
    second one."""
    if sale.operation is Operation.DEBIT:
        return None
    return next((payment for payment in before if sale.is_attempt(payment) and _blocks(payment)), None)


def accepted(server: Api, sale: Sale, before: list[dict[str, Any]], deadline: float) -> dict[str, Any] | None:
    """Return the payment that the sale became; None where it may have become one that cannot be found.

    Raises typer.Exit where nothing of it was accepted. `deadline` is monotonic.
    """
    known = frozenset(payment["id"] for payment in before)
    may_have_arrived = False
    for pause in (*_PAUSES_SECONDS, None):
        if may_have_arrived:
            found = _found(server, sale, known)
            if found is not None:
                return found
        answered = server.tried(
            "POST",
            _ORDER_PATH,
            json=sale.body,
            headers={"Idempotency-Key": sale.idempotency_key, "Prefer": "respond-async"},
        )
        payment = _own(answered)
        if payment is not None:
            return payment
        is_refusal = isinstance(answered, httpx.Response) and _nothing_was_accepted(answered)
        if is_refusal and not may_have_arrived:
            assert isinstance(answered, httpx.Response)
            raise refused(answered)
        may_have_arrived = may_have_arrived or not (is_refusal or isinstance(answered, _NOT_SENT))
        if pause is None or time.monotonic() + pause >= deadline:
            break
        time.sleep(pause)
    if may_have_arrived:
        return None
    raise fail("The API cannot be reached. Nothing was sent.", EXIT_UNAVAILABLE)


def _own(answered: "httpx.Response | httpx.TransportError") -> dict[str, Any] | None:
    """Return this operation's payment; a conflict shows another one."""
    if isinstance(answered, httpx.TransportError) or answered.status_code == 409:
        return None
    return payment_in(answered)


def _nothing_was_accepted(answered: httpx.Response) -> bool:
    """Return whether the API, not a proxy, says that it stored nothing of the order."""
    try:
        details = answered.json()["error"].get("details")
    except (KeyError, TypeError, ValueError, AttributeError):
        return False
    if answered.status_code < 500:
        return True
    return isinstance(details, dict) and details.get("safe_to_retry") is True


def _found(server: Api, sale: Sale, before: frozenset[str]) -> dict[str, Any] | None:
    """Return the attempt that the request has become, for certain; None: send it again, with its key.

    A debit that is new, or that blocks another one, is the order's. An equal credit may be somebody else's:
    only where it failed, and no money moved, that is as good; else the key finds the right one.
    """
    answered = server.tried("GET", "/v1/payments", params={"order_id": sale.order_id, "limit": 100})
    try:
        if isinstance(answered, httpx.TransportError) or answered.status_code != 200:
            return None
        attempts = [each for each in answered.json()["payments"] if sale.is_attempt(each)]
    except (KeyError, TypeError, ValueError):
        return None
    if sale.operation is Operation.DEBIT:
        newest: dict[str, Any] | None = attempts[0] if attempts else None
        return newest if newest is not None and (_blocks(newest) or newest["id"] not in before) else None
    new = [each for each in attempts if each["id"] not in before]
    return None if any(_blocks(each) for each in new) else next(iter(new), None)


def _blocks(payment: dict[str, Any]) -> bool:
    """Return whether money moved by this payment, or may still move."""
    is_over = payment["state"] in FINAL_STATES and payment["state"] != State.SUCCEEDED
    return not is_over or "contradicted" in payment
