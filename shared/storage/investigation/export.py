"""Export of payments: every one of a filter, the oldest first, in pages that are statements of their own.

No transaction stays open and no page depends on the one before but by its place, so that an export of any
size costs the memory of one page.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from shared.payment.payment import Operation, Payment, Result
from shared.payment.states import State
from shared.runtime.clock import iso_time
from shared.storage.db.engine import Database
from shared.storage.db.statement import Statement
from shared.storage.payments.listing import Place
from shared.storage.payments.rows import payment_of

PAGE_ROWS: Final = 500
_START: Final = Place(-1, "")

_RESULT_COLUMNS: Final = (
    "authorisation_number",
    "masked_card",
    "application",
    "aid",
    "card_read_mode",
    "error_code",
)
_TIMES: Final = ("created_at", "claimed_at", "doubted_at", "ended_at")
#: The columns of an export; a test compares them with `exported`.
COLUMNS: Final = (
    "id",
    "merchant_id",
    "order_id",
    "operation",
    "state",
    "reason",
    "contradicted",
    "amount",
    "asked_amount",
    "currency",
    "at",
    "terminal_address",
    "terminal_id",
    *_RESULT_COLUMNS,
    *_TIMES,
    "resolved_by",
    "debit_id",
)

_CONDITIONS: Final = {
    "merchant_id": "merchant_id = :merchant_id",
    "terminal_address": "terminal_address = :terminal_address",
    "created_from": "created_at >= :created_from",
    "created_before": "created_at < :created_before",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFilter:
    """Conditions on exported payments; None leaves one out. Times are milliseconds since 1970 UTC."""

    merchant_id: str | None = None
    #: `address:port`.
    terminal_address: str | None = None
    #: Inclusive.
    created_from: int | None = None
    #: Exclusive.
    created_before: int | None = None
    state: State | None = None
    operation: Operation | None = None


async def pages(database: Database, wanted: ExportFilter) -> AsyncIterator[list[Payment]]:
    """Yield the payments, the oldest first, at most `PAGE_ROWS` at a time. Raises DatabaseUnavailable."""
    given = {name: getattr(wanted, name) for name in _CONDITIONS}
    given = {name: value for name, value in given.items() if value is not None}
    statement = _statement(tuple(given))
    place = _START
    while True:
        bound = {**given, "after_created_at": place.created_at, "after_id": place.id, "most": PAGE_ROWS}
        found = await _page(database, statement, bound)
        # Read and left out here: each statement then reads as many rows as it returns.
        yield [each for each in found if _fits(each, wanted)]
        if len(found) < PAGE_ROWS:
            return
        place = Place(found[-1].created_at, found[-1].id)


async def _page(database: Database, statement: Statement, bound: Mapping[str, object]) -> list[Payment]:
    return [payment_of(row) for row in await database.read(lambda tx: tx.all(statement, **bound))]


def _fits(payment: Payment, wanted: ExportFilter) -> bool:
    return wanted.state in (None, payment.state) and wanted.operation in (None, payment.operation)


@lru_cache(maxsize=512)
def _statement(names: tuple[str, ...]) -> Statement:
    where = "".join(f"{_CONDITIONS[name]} AND " for name in names)
    return Statement(
        f"SELECT {{payment}} FROM payments WHERE {where}(created_at, id) > (:after_created_at, :after_id)"
        " ORDER BY created_at, id LIMIT :most"
    )


def _results(result: Result) -> dict[str, Any]:
    return {name: getattr(result, name) for name in _RESULT_COLUMNS}


def exported(payment: Payment) -> dict[str, Any]:
    """Return a payment's exported fields, in the order of `COLUMNS`; None for what is not known."""
    return {
        "id": payment.id,
        "merchant_id": payment.merchant_id,
        "order_id": payment.order_id,
        "operation": payment.operation.value,
        "state": payment.state.value,
        "reason": payment.reason,
        "contradicted": payment.contradicted,
        "amount": payment.paid_or_asked_cents,
        "asked_amount": payment.amount_cents,
        "currency": payment.currency,
        "at": iso_time(_at(payment)),
        "terminal_address": payment.terminal_address,
        "terminal_id": payment.terminal_id,
        **_results(payment.result),
        **{name: iso_time(getattr(payment, name)) for name in _TIMES},
        "resolved_by": payment.resolved_by,
        "debit_id": payment.debit_id,
    }


def _at(payment: Payment) -> int | None:
    """Return the time of the terminal's transaction, as totals count it; see `counting.time_of`."""
    if payment.doubted_at is not None:
        return payment.claimed_at
    return payment.ended_at or payment.claimed_at or payment.created_at
