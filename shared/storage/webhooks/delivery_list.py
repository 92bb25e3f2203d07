"""Listings of deliveries, newest first in pages, and the attempts of single deliveries."""

from dataclasses import dataclass
from functools import cache
from typing import Final

from shared.storage.db.engine import Database, Row
from shared.storage.db.statement import Statement
from shared.storage.payments.listing import Place

#: Attempts that are shown of one delivery; replays add more.
ATTEMPTS_AT_MOST: Final = 100

_SELECT: Final = (
    "SELECT id, kind, target, merchant_id, payment_id, event_number, type, sequence, state, reason, tries,"
    " tried_at, created_at, due_at, ended_at,"
    " (leased_until IS NOT NULL AND leased_until > {now}) AS is_being_sent FROM deliveries"
)

#: A condition for each filter that is given: a condition on a missing value would keep SQLite from using an
#: index.
_CONDITIONS: Final = {
    "merchant_id": "merchant_id = :merchant_id",
    "kind": "kind = :kind",
    "target": "target = :target",
    "type": "type = :type",
    "payment_id": "payment_id = :payment_id",
    "created_from": "created_at >= :created_from",
    "created_before": "created_at < :created_before",
}
#: As literals: the partial index of dead deliveries is not used for a parameter.
_STATES: Final = {state: f"state = '{state}'" for state in ("waiting", "delivered", "dead")}
#: Conditions by which SQLite is not to search an index: it would read all of a merchant's deliveries instead
#: of a
#: payment's few, and all dead ones instead of a merchant's.
_BESIDE_PAYMENT: Final = {"merchant_id": "{unindexed}merchant_id = :merchant_id"}
_BESIDE_MERCHANT: Final = {"kind": "{unindexed}kind = :kind"}

_GET = Statement(_SELECT + " WHERE id = :id")

_ATTEMPTS = Statement(
    "SELECT at, duration_ms, status, error, answer, location FROM delivery_attempts WHERE delivery_id = :id"
    " ORDER BY id DESC LIMIT :most"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """Conditions on deliveries; None leaves one out. Times are milliseconds since 1970 UTC."""

    merchant_id: str | None = None
    #: `hipay` or `merchant`.
    kind: str | None = None
    #: An endpoint's id, or `hipay`.
    target: str | None = None
    #: `waiting`, `delivered` or `dead`.
    state: str | None = None
    type: str | None = None
    payment_id: str | None = None
    #: Inclusive.
    created_from: int | None = None
    #: Exclusive.
    created_before: int | None = None

    def parameters(self) -> dict[str, object]:
        """Return the parameters of the given conditions."""
        values = {name: getattr(self, name) for name in _CONDITIONS}
        return {name: value for name, value in values.items() if value is not None}

    def conditions(self) -> tuple[str, ...]:
        """Return the given conditions in SQL."""
        texts = dict(_CONDITIONS)
        if self.payment_id is not None:
            texts |= _BESIDE_PAYMENT
        if self.merchant_id is not None:
            texts |= _BESIDE_MERCHANT
        of_state = () if self.state is None else (_STATES[self.state],)
        return (*(texts[name] for name in self.parameters()), *of_state)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDelivery:
    """A delivery as it is stored, see `DeliveryRow`. Times are milliseconds since 1970 UTC."""

    id: str
    kind: str
    target: str
    merchant_id: str
    payment_id: str | None
    event_number: int | None
    type: str
    sequence: int
    state: str
    reason: str | None
    tries: int
    tried_at: int | None
    created_at: int
    due_at: int
    ended_at: int | None
    is_being_sent: bool


@dataclass(frozen=True, slots=True)
class StoredAttempt:
    """A stored attempt; `at` is its start."""

    at: int
    duration_ms: int
    status: int | None
    error: str | None
    answer: str | None
    location: str | None


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """A page of deliveries, newest first; `next` is the start of the next page, None at the end."""

    deliveries: list[StoredDelivery]
    next: Place | None


async def page(
    database: Database, wanted: DeliveryFilter, *, after: Place | None, limit: int
) -> DeliveryPage:
    """Return the deliveries after a place, at most `limit` of them. Raises DatabaseUnavailable."""
    statement = _page_statement(wanted.conditions(), follows=after is not None)
    place = {} if after is None else {"after_created_at": after.created_at, "after_id": after.id}
    # One more than is shown: there is a next page if it is found.
    rows = await database.read(lambda tx: tx.all(statement, most=limit + 1, **wanted.parameters(), **place))
    found = [_stored(row) for row in rows[:limit]]
    return DeliveryPage(found, Place(found[-1].created_at, found[-1].id) if len(rows) > limit else None)


async def get(database: Database, delivery_id: str) -> StoredDelivery | None:
    """Return a delivery; None: there is none of this id."""
    row = await database.read(lambda tx: tx.one(_GET, id=delivery_id))
    return None if row is None else _stored(row)


async def attempts(database: Database, delivery_id: str) -> list[StoredAttempt]:
    """Return the newest attempts of a delivery, in the order of their times."""
    rows = await database.read(lambda tx: tx.all(_ATTEMPTS, id=delivery_id, most=ATTEMPTS_AT_MOST))
    return [StoredAttempt(**row._mapping) for row in reversed(rows)]


@cache
def _page_statement(conditions: tuple[str, ...], *, follows: bool) -> Statement:
    place = ("(created_at, id) < (:after_created_at, :after_id)",) if follows else ()
    where = " AND ".join((*conditions, *place)) or "1 = 1"
    return Statement(f"{_SELECT} WHERE {where} ORDER BY created_at DESC, id DESC LIMIT :most")


def _stored(row: Row) -> StoredDelivery:
    return StoredDelivery(**{**row._mapping, "is_being_sent": bool(row.is_being_sent)})
