"""Evidence for the Cloud API: the gateway's records of completed and collected transactions.

A record that carries the payment's reference is a proof and is reported with it. One that was matched
otherwise is a hint and is reported with the matched payment's id. Authorisations are not reported.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sandbox.hipay.rules.matching import Match
from sandbox.hipay.rules.order_and_push import Kind, Push

SOURCE: Final = "preludd"

_STATUSES: Final = {Kind.COMPLETION: "completed", Kind.COLLECTION: "collected"}


@dataclass(frozen=True, slots=True)
class Report:
    """A body of `POST /v1/gateway/evidence`, and its payment."""

    payment_id: str
    body: dict[str, Any]


def report_of_push(push: Push) -> Report | None:
    """Return the report of a record that carries the payment's reference; it needs no order."""
    if push.reference is None or push.kind not in _STATUSES:
        return None
    return Report(push.reference, {**_body(push), "reference": push.reference})


def report_of_match(push: Push, match: Match) -> Report | None:
    """Return the report of a record without a reference that was matched to a payment."""
    if push.reference is not None or push.kind not in _STATUSES:
        return None
    payment_id = match.order.reference
    return Report(payment_id, {**_body(push), "payment_id": payment_id})


def _body(push: Push) -> dict[str, Any]:
    moment = datetime.fromtimestamp(push.at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    body = {
        "source": SOURCE,
        "record_id": push.record_id,
        "status": _STATUSES[push.kind],
        "amount": push.amount_cents,
        "currency": push.currency,
        "authorisation_number": push.authorisation_number,
        "masked_card": push.masked_pan,
        "occurred_at": moment.replace("+00:00", "Z"),
    }
    return {name: value for name, value in body.items() if value is not None}
