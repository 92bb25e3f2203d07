"""Listings of payments, newest first in pages, and the histories of single payments.

A page ends at a place in the order (creation time, id), not at a count of rows: rows that are inserted
meanwhile are newer than every page that follows, so that no payment is shown twice or left out.
"""

import json
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Final

from shared.payment.states import State
from shared.storage.db.engine import Database
from shared.storage.db.statement import Statement
from shared.storage.payments.rows import payment_of
from shared.storage.payments.snapshots import AnsweredPayment

#: A history has a few dozen events; a gateway that keeps reporting must not make the response endless.
EVENTS_AT_MOST: Final = 1000

#: A condition for each filter that is given: a condition on a missing value would keep SQLite from using an
#: index.
_CONDITIONS: Final = {
    "order_id": "order_id = :order_id",
    "terminal_address": "terminal_address = :terminal_address",
    "state": "state = :state",
    "created_from": "created_at >= :created_from",
    "created_before": "created_at < :created_before",
    "after": "(created_at, id) < (:after_created_at, :after_id)",
}

_EVENTS = Statement(
    "SELECT at, event, state, detail FROM payment_events WHERE payment_id = :payment_id"
    " ORDER BY id LIMIT :most"
)

_EVIDENCE = Statement(
    "SELECT at, source, proves, brought_by, detail FROM evidence WHERE payment_id = :payment_id"
    " ORDER BY id LIMIT :most"
)


@dataclass(frozen=True, slots=True)
class Place:
    """The last row of a page, after which the next page begins."""

    created_at: int
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Conditions on payments; None leaves one out. Times are milliseconds since 1970 UTC."""

    order_id: str | None = None
    #: `address:port`.
    terminal_address: str | None = None
    state: State | None = None
    #: Inclusive.
    created_from: int | None = None
    #: Exclusive.
    created_before: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of payments, newest first; `next` is the start of the next page, None at the end."""

    payments: list[AnsweredPayment]
    next: Place | None


@dataclass(frozen=True, slots=True)
class PaymentEvent:
    """An event of a payment's history, with the state after it."""

    at: int
    event: str
    state: State
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredEvidence:
    """A stored proof (`proves` is set) or hint of a payment's outcome."""

    at: int
    source: str
    proves: str | None
    brought_by: str | None
    detail: dict[str, Any]


async def payments(
    database: Database, merchant_id: str, wanted: Filter, *, after: Place | None, limit: int
) -> Page:
    """Return the merchant's payments after a place, at most `limit` of them. Raises DatabaseUnavailable."""
    parameters = {name: value for name, value in asdict(wanted).items() if value is not None}
    conditions = tuple(parameters)
    if after is not None:
        parameters |= {"after_created_at": after.created_at, "after_id": after.id}
        conditions += ("after",)
    rows = await database.read(
        # One more than is shown: there is a next page if it is found.
        lambda tx: tx.all(_list_statement(conditions), merchant_id=merchant_id, most=limit + 1, **parameters)
    )
    found = [
        AnsweredPayment(payment_of(row), another_attempt_blocks=bool(row.another_blocks))
        for row in rows[:limit]
    ]
    if len(rows) <= limit:
        return Page(found, None)
    last = found[-1].payment
    return Page(found, Place(last.created_at, last.id))


@cache
def _list_statement(conditions: tuple[str, ...]) -> Statement:
    where = "".join(f" AND {_CONDITIONS[name]}" for name in conditions)
    return Statement(
        "SELECT {payment}, {another_blocks} AS another_blocks FROM payments WHERE merchant_id = :merchant_id"
        + where
        + " ORDER BY created_at DESC, id DESC LIMIT :most"
    )


async def events(database: Database, payment_id: str) -> list[PaymentEvent]:
    """Return the payment's history, oldest first."""
    rows = await database.read(lambda tx: tx.all(_EVENTS, payment_id=payment_id, most=EVENTS_AT_MOST))
    return [PaymentEvent(row.at, row.event, State(row.state), json.loads(row.detail)) for row in rows]


async def evidence(database: Database, payment_id: str) -> list[StoredEvidence]:
    """Return the evidence of a payment, oldest first."""
    rows = await database.read(lambda tx: tx.all(_EVIDENCE, payment_id=payment_id, most=EVENTS_AT_MOST))
    return [
        StoredEvidence(row.at, row.source, row.proves, row.brought_by, json.loads(row.detail)) for row in rows
    ]
