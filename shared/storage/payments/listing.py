"""Payments and their histories as they are read by people and tills: newest first, page by page.

A page ends at a place in the order (creation time, id), not at a count of rows: what is inserted meanwhile is
newer than every page that follows, so that nothing is shown twice or left out.
"""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from shared.payment.answers import ResponseSpec, response_for
from shared.payment.payment import Payment
from shared.payment.states import State
from shared.storage.db.engine import Database
from shared.storage.db.statement import Statement
from shared.storage.payments.rows import payment_of

#: A history holds a few dozen events; a gateway that reports without end must not make the answer endless.
EVENTS_AT_MOST: Final = 1000

#: One condition for each filter that is asked for: a condition on a value that is not given would keep
#: SQLite from using an index.
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
    """The last payment of a page."""

    created_at: int
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which payments of a merchant; None leaves a condition out. Times are milliseconds since 1970 UTC."""

    order_id: str | None = None
    #: `address:port`.
    terminal_address: str | None = None
    state: State | None = None
    #: Inclusive.
    created_from: int | None = None
    #: Exclusive.
    created_before: int | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A payment of a page, and whether another attempt of its operation counts."""

    payment: Payment
    another_attempt_blocks: bool

    @property
    def told(self) -> ResponseSpec:
        """Return the answer that its caller gets now."""
        return response_for(self.payment, another_attempt_blocks=self.another_attempt_blocks)


@dataclass(frozen=True, slots=True)
class Page:
    """Payments, newest first; `next` is where the next page begins, None at the end."""

    payments: list[Listed]
    next: Place | None


@dataclass(frozen=True, slots=True)
class PaymentEvent:
    """One event of a payment's history, with the state after it."""

    at: int
    event: str
    state: State
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredEvidence:
    """A proof (`proves` is set) or a hint that was stored of a payment."""

    at: int
    source: str
    proves: str | None
    #: None in rows of before.
    brought_by: str | None
    detail: dict[str, Any]


async def payments(
    database: Database, merchant_id: str, wanted: Filter, *, after: Place | None, limit: int
) -> Page:
    """Return the merchant's payments after a place, at most `limit` of them. Raises DatabaseUnavailable."""
    given: dict[str, object] = {
        "order_id": wanted.order_id,
        "terminal_address": wanted.terminal_address,
        "state": None if wanted.state is None else wanted.state.value,
        "created_from": wanted.created_from,
        "created_before": wanted.created_before,
    }
    asked = {name: value for name, value in given.items() if value is not None}
    if after is not None:
        asked |= {"after_created_at": after.created_at, "after_id": after.id}
    conditions = tuple(name for name in _CONDITIONS if name in asked or (name == "after" and after))
    rows = await database.read(
        # One more than is shown: whether there is a next page.
        lambda tx: tx.all(_list_statement(conditions), merchant_id=merchant_id, most=limit + 1, **asked)
    )
    found = [Listed(payment_of(row), bool(row.another_blocks)) for row in rows[:limit]]
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
    """Return what was learned of the payment outside its session, oldest first."""
    rows = await database.read(lambda tx: tx.all(_EVIDENCE, payment_id=payment_id, most=EVENTS_AT_MOST))
    return [
        StoredEvidence(row.at, row.source, row.proves, row.brought_by, json.loads(row.detail)) for row in rows
    ]
