"""Histories and evidence of single payments, and places in lists that are ordered by time."""

import json
from dataclasses import dataclass
from typing import Any, Final

from shared.payment.states import State
from shared.storage.db.engine import Database
from shared.storage.db.statement import Statement

#: A history has a few dozen events; a gateway that keeps reporting must not make the response endless.
EVENTS_AT_MOST: Final = 1000

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
