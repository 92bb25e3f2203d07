"""What is passed on to the cloud API: the gateway's records of transactions that were completed or collected.

A record that carries our reference names it: it proves. One that was joined otherwise names the payment that
it was joined to: it hints. Authorisations alone say nothing of the end and are not passed on.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sandbox.hipay.rules.matching import Joined
from sandbox.hipay.rules.order_and_push import Kind, Push

SOURCE: Final = "preludd"

_STATUSES: Final = {Kind.COMPLETION: "completed", Kind.COLLECTION: "collected"}


@dataclass(frozen=True, slots=True)
class Report:
    """One body of `POST /v1/gateway/evidence`, and whose payment it is about."""

    payment_id: str
    body: dict[str, Any]


def report_of_push(push: Push) -> Report | None:
    """Return the report of a record that itself carries our reference; it needs no order to be joined to."""
    if push.reference is None or push.kind not in _STATUSES:
        return None
    return Report(push.reference, {**_body(push), "reference": push.reference})


def report_of_join(push: Push, joined: Joined) -> Report | None:
    """Return the report of a record that was joined to a payment without carrying its reference."""
    if push.reference is not None or push.kind not in _STATUSES:
        return None
    payment_id = joined.order.reference
    return Report(payment_id, {**_body(push), "payment_id": payment_id})


def _body(push: Push) -> dict[str, Any]:
    moment = datetime.fromtimestamp(push.at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    said = {
        "source": SOURCE,
        "record_id": push.record_id,
        "status": _STATUSES[push.kind],
        "amount": push.amount_cents,
        "currency": push.currency,
        "authorisation_number": push.authorisation_number,
        "masked_card": push.masked_pan,
        "occurred_at": moment.replace("+00:00", "Z"),
    }
    return {name: value for name, value in said.items() if value is not None}
