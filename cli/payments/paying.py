"""Acceptance of one order that is never charged twice: what may have arrived is looked for, then sent again.

The same order with the same key joins what runs already, so that sending it once more is no second sale.
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


@dataclass(frozen=True, slots=True)
class Sale:
    """An order's body and the key that names this operation."""

    body: dict[str, Any]
    idempotency_key: str

    @property
    def order_id(self) -> str:
        order_id: str = self.body["order"]["order_id"]
        return order_id


def attempts_before(server: Api, sale: Sale) -> frozenset[str]:
    """Return the ids of the order's attempts before anything is sent. Raises typer.Exit."""
    found = server.get("/v1/payments", order_id=sale.order_id, limit=100)["payments"]
    return frozenset(payment["id"] for payment in found)


def accepted(server: Api, sale: Sale, before: frozenset[str], deadline: float) -> dict[str, Any] | None:
    """Return the payment that the sale became; None where it may have become one that cannot be found.

    Raises typer.Exit where nothing of it was accepted. `deadline` is monotonic.
    """
    may_have_arrived = False
    for pause in (*_PAUSES_SECONDS, None):
        if may_have_arrived:
            found = _found(server, sale, before)
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
    """Return the newest debit of the order that is new, or that blocks another one."""
    answered = server.tried("GET", "/v1/payments", params={"order_id": sale.order_id, "limit": 100})
    try:
        if isinstance(answered, httpx.TransportError) or answered.status_code != 200:
            return None
        attempts: list[dict[str, Any]] = answered.json()["payments"]
    except (KeyError, TypeError, ValueError):
        return None
    for payment in attempts:
        if payment["operation"] == Operation.DEBIT:
            blocks = payment["state"] == State.SUCCEEDED or payment["state"] not in FINAL_STATES
            return payment if blocks or payment["id"] not in before else None
    return None
