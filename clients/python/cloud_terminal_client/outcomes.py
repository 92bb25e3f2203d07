"""Outcomes of a payment: succeeded, failed, or unknown. Nothing unknown is ever called failed."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloud_terminal_client.errors import CloudTerminalError
from cloud_terminal_client.models import Payment


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The money moved. `payment.amount_cents` is what was really paid: a terminal may take a part."""

    payment: Payment
    #: The customer's receipt; None where the terminal gave none.
    receipt: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """No money moved and none can still move: the order may be paid again, by card or otherwise."""

    payment: Payment
    #: The terminal's two digits, `busy` or `cancelled`; else the payment's state.
    code: str
    description: str
    receipt: str | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """The money may have moved: do not take it again, call `wait` or send the same order later."""

    #: The payment as it was last seen; None where nobody knows whether it was accepted.
    payment: Payment | None
    #: The trouble that kept the outcome from being known, where there was one.
    error: CloudTerminalError | None = None


Outcome = Succeeded | Failed | Unknown


def outcome_of(body: Mapping[str, Any], error: CloudTerminalError | None = None) -> Outcome:
    """Return the outcome of an answer about a payment, whatever its status. Raises KeyError for another."""
    payment = Payment.read(body["payment"])
    if payment.state == "succeeded":
        return Succeeded(payment, _receipt(body))
    # Failed, says the state; but only this member says that nothing was charged and nothing can be.
    if payment.is_final and payment.safe_to_retry:
        said = body.get("error") or {}
        code = body.get("errorCode") or said.get("code") or payment.state
        description = body.get("errorDescription") or said.get("description") or payment.reason or ""
        return Failed(payment, code, description, _receipt(body))
    return Unknown(payment, error)


def _receipt(body: Mapping[str, Any]) -> str | None:
    encoded = body.get("receipt")
    return base64.b64decode(encoded).decode(errors="replace") if encoded else None
