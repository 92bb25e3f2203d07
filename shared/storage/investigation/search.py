"""Search of payments over all merchants or of one, newest first in pages.

A page looks through at most `EXAMINED_AT_MOST` payments, so that its time has a limit whatever is asked for.
It may have fewer payments than were asked for, even none, and go on: only a page without `next` is the last.

A page ends at a place in the order (creation time, id), not at a count of rows: rows that are inserted
meanwhile are newer than every page that follows, so that no payment is shown twice or left out.
"""

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Final

from shared.payment.payment import Operation
from shared.payment.states import LIVE_STATES, State
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Dialect, Statement
from shared.storage.investigation.twins import has_a_twin
from shared.storage.payments.listing import Place
from shared.storage.payments.rows import OPEN, payment_of
from shared.storage.payments.snapshots import AnsweredPayment

#: Payments that one page looks through.
EXAMINED_AT_MOST: Final = 10_000
#: The same where each of them is compared with those within an hour; fewer where it is with those of a day.
COMPARED_AT_MOST: Final = 2_000
_COMPARED_AT_LEAST: Final = 100
_HOUR_MS: Final = 3_600_000

_SELECT: Final = "SELECT {payment}, {another_blocks} AS another_blocks FROM"
_PLACE: Final = "(created_at, id) < (:after_created_at, :after_id)"
_NEWEST_FIRST: Final = "ORDER BY created_at DESC, id DESC"

#: Conditions that an index answers. A condition for each filter that is given: one on a missing value would
#: keep the database from using an index.
_INDEXED: Final = {
    "merchant_id": "merchant_id = :merchant_id",
    "order_id": "order_id = :order_id",
    "card_last_four": "card_last_four = :card_last_four",
    "authorisation_number": "authorisation_number = :authorisation_number",
    "terminal_address": "terminal_address = :terminal_address",
    "created_from": "created_at >= :created_from",
    "created_before": "created_at < :created_before",
}
#: Beside a more selective one a merchant's condition is no search of SQLite's, which has no statistics.
_SELECTIVE: Final = frozenset({"order_id", "card_last_four", "authorisation_number", "terminal_address"})
_BESIDE_SELECTIVE: Final = {"merchant_id": "{unindexed}merchant_id = :merchant_id"}
#: Conditions that are checked of each payment that a page looks through.
_CHECKED: Final = {
    "state": "state = :state",
    "operation": "operation = :operation",
    "amount_from": "COALESCE(paid_cents, amount_cents) >= :amount_from",
    "amount_to": "COALESCE(paid_cents, amount_cents) <= :amount_to",
    "receipt_number": "receipt LIKE '%' || CAST(:receipt_number AS TEXT) || '%'",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Conditions on payments; None leaves one out. Times are milliseconds since 1970 UTC, amounts cents."""

    merchant_id: str | None = None
    order_id: str | None = None
    #: The last four digits of the masked card.
    card_last_four: str | None = None
    authorisation_number: str | None = None
    #: `address:port`.
    terminal_address: str | None = None
    #: Inclusive.
    created_from: int | None = None
    #: Exclusive.
    created_before: int | None = None
    state: State | None = None
    operation: Operation | None = None
    #: Of the amount that was really paid, else of the one asked for; both inclusive.
    amount_from: int | None = None
    amount_to: int | None = None
    #: Digits that the customer's receipt contains.
    receipt_number: str | None = None
    #: Debits alone that have another one of the same card, amount and terminal within this time.
    twin_within_ms: int | None = None

    def parameters(self) -> dict[str, object]:
        """Return the given conditions' values by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class Page:
    """A page of payments, newest first; `next` is the start of the next page, None at the end."""

    payments: list[AnsweredPayment]
    next: Place | None


async def payments(database: Database, wanted: Filter, *, after: Place | None, limit: int) -> Page:
    """Return the payments after a place, at most `limit` of them. Raises DatabaseUnavailable."""
    given = wanted.parameters()
    place = {} if after is None else {"after_created_at": after.created_at, "after_id": after.id}
    examined = {name: value for name, value in given.items() if name in _INDEXED} | place

    async def work(tx: Transaction) -> Page:
        search = _Search.of(wanted, tx.dialect, follows=after is not None)
        most = _examined_at_most(wanted.twin_within_ms)
        bound = {"examined": most} if search.end is not None else {}
        # One more than is shown: there is a next page if it is found.
        rows = await tx.all(search.page, **given, **place, **bound, most=limit + 1)
        found = [
            AnsweredPayment(payment_of(row), another_attempt_blocks=bool(row.another_blocks))
            for row in rows[:limit]
        ]
        if len(rows) > limit:
            last = found[-1].payment
            return Page(found, Place(last.created_at, last.id))
        if search.end is None:
            return Page(found, None)
        end = await tx.one(search.end, **examined, examined=most - 1)
        return Page(found, None if end is None else Place(end.created_at, end.id))

    return await database.read(work)


def _examined_at_most(twin_within_ms: int | None) -> int:
    if twin_within_ms is None:
        return EXAMINED_AT_MOST
    return max(_COMPARED_AT_LEAST, COMPARED_AT_MOST * _HOUR_MS // max(twin_within_ms, _HOUR_MS))


@dataclass(frozen=True, slots=True)
class _Search:
    """The statements of a search: its page, and the last payment that a page looks through."""

    page: Statement
    #: None where every payment that a page looks through is on it.
    end: Statement | None

    @classmethod
    def of(cls, wanted: Filter, dialect: Dialect, *, follows: bool) -> "_Search":
        # The states without a result as a literal: their partial index is not used for a parameter.
        is_open = wanted.state in LIVE_STATES
        return _search(tuple(wanted.parameters()), dialect, follows=follows, is_open=is_open)


@lru_cache(maxsize=512)
def _search(names: tuple[str, ...], dialect: Dialect, *, follows: bool, is_open: bool) -> _Search:
    texts = {**_INDEXED, **(_BESIDE_SELECTIVE if _SELECTIVE & {*names} else {})}
    indexed = [texts[name] for name in names if name in _INDEXED]
    checked = [_CHECKED[name] for name in names if name in _CHECKED]
    if is_open:
        indexed.append(OPEN)
    if "twin_within_ms" in names:
        checked.append(has_a_twin(":twin_within_ms"))
    where = " AND ".join([*indexed, *([_PLACE] if follows else [])]) or "1 = 1"
    if not checked:
        return _Search(Statement(f"{_SELECT} payments WHERE {where} {_NEWEST_FIRST} LIMIT :most"), None)
    # SQLite would sort all that it looks through; it hands the rows out in their order.
    order = _NEWEST_FIRST if dialect == "postgresql" else ""
    looked_through = f"(SELECT * FROM payments WHERE {where} {_NEWEST_FIRST} LIMIT :examined) payments"
    return _Search(
        Statement(f"{_SELECT} {looked_through} WHERE {' AND '.join(checked)} {order} LIMIT :most"),
        Statement(
            f"SELECT created_at, id FROM payments WHERE {where} {_NEWEST_FIRST} LIMIT 1 OFFSET :examined"
        ),
    )
