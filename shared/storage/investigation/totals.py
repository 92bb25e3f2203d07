"""Totals of payments by local day, terminal, application and operation.

A past day's are stored (`day_totals`), other times' are counted from the payments; one statement reads both.
By terminal all is counted: a terminal has few payments a day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Final

from shared.storage.db.engine import Database, Row
from shared.storage.db.statement import Statement
from shared.storage.investigation.counting import IN_TIME, MEASURES, measures, time_of
from shared.storage.investigation.day_totals import EVERYBODY, IS_CHANGED, totalled_days, uncovered
from shared.storage.investigation.periods import Period, day_of_number

#: Groups of one answer; more would be a list of payments.
GROUPS_AT_MOST: Final = 20_000
#: Times of one statement that are counted from the payments: today, and days that have changed.
TIMES_AT_MOST: Final = 3
#: Tries to read stored totals while days are totalled again.
_TRIES: Final = 3

_DIMENSIONS: Final = ("day", "merchant_id", "terminal_address", "application", "operation")
_DAY_MS: Final = 86_400_000
#: What a payment needs beyond its deadline in the queue: connection, session, lost answers, a slow database.
_SESSION_SECONDS: Final = 3600.0


class By(StrEnum):
    """A dimension of totals."""

    DAY = "day"
    MERCHANT = "merchant"
    TERMINAL = "terminal"
    APPLICATION = "application"
    OPERATION = "operation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """Counts and sums in cents of one group; a dimension that the totals are not by is None.

    `count`, `cents`: payments that succeeded. `open_...`: in session or in doubt, with the amount asked for.
    `contradicted_...`: a proof conflicts with the stored outcome.
    """

    day: date | None
    merchant_id: str | None
    #: `address:port`.
    terminal_address: str | None
    #: The registered terminal of that address.
    terminal_id: str | None
    #: The protocol's CC; None also where the terminal named none.
    application: str | None
    operation: str | None
    count: int
    cents: int
    open_count: int
    open_cents: int
    contradicted_count: int
    contradicted_cents: int


class TooManyGroups(Exception):
    """Raised for totals of more than `GROUPS_AT_MOST` groups."""


def longest_ms(queue_deadline_seconds: float) -> int:
    """Return the milliseconds from a payment's acceptance to its transaction's end at the most."""
    return round((queue_deadline_seconds + _SESSION_SECONDS) * 1000)


async def totals(
    database: Database,
    period: Period,
    by: Sequence[By],
    *,
    merchant_id: str | None,
    terminal_address: str | None,
    longest_ms: int,
) -> list[Total]:
    """Return the totals, sorted by their dimensions. Raises TooManyGroups, DatabaseUnavailable.

    `longest_ms`: see the function of this name.
    """
    wanted = _Wanted(period, frozenset(by), merchant_id, terminal_address, longest_ms)
    rows = await _read(database, wanted)
    if len(rows) > GROUPS_AT_MOST:
        raise TooManyGroups
    return [_total(row) for row in rows]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The totals that are asked for."""

    period: Period
    by: frozenset[By]
    merchant_id: str | None
    terminal_address: str | None
    longest_ms: int

    @property
    def is_by_terminal(self) -> bool:
        return By.TERMINAL in self.by or self.terminal_address is not None


async def _read(database: Database, wanted: _Wanted) -> Sequence[Row]:
    whole = [(wanted.period.starts_at, wanted.period.ends_at)]
    for _ in range(0 if wanted.is_by_terminal else _TRIES):
        totalled = await totalled_days(database, wanted.period)
        times = uncovered(wanted.period, list(totalled.values()), most=TIMES_AT_MOST)
        stored = [
            number
            for number, (starts_at, _) in totalled.items()
            if not any(begins <= starts_at < ends for begins, ends in times)
        ]
        rows = await _rows(database, wanted, times, stored)
        # A day whose totals have ceased to hold since they were looked for: look again.
        if rows[0].holding == len(stored):
            return _groups(rows)
    return _groups(await _rows(database, wanted, whole, []))


def _groups(rows: Sequence[Row]) -> list[Row]:
    """Leave out the row of no group."""
    return [row for row in rows if row._mapping["count"] is not None]


async def _rows(
    database: Database, wanted: _Wanted, times: Sequence[tuple[int, int]], stored: Sequence[int]
) -> Sequence[Row]:
    """Return the groups, at least one row; each has the number of stored days that hold in `holding`."""
    given = {"merchant_id": wanted.merchant_id, "terminal_address": wanted.terminal_address}
    bound: dict[str, object] = {name: value for name, value in given.items() if value is not None}
    filters = tuple(bound)
    offsets = wanted.period.offsets()
    if By.DAY in wanted.by and times:
        bound |= {f"offset_{number}": offset for number, (_, offset) in enumerate(offsets)}
        bound |= {f"from_{number}": at for number, (at, _) in enumerate(offsets) if number}
    for number, (starts_at, ends_at) in enumerate(times):
        bound[f"created_from_{number}"] = starts_at - wanted.longest_ms
        bound[f"starts_at_{number}"], bound[f"ends_at_{number}"] = starts_at, ends_at
    statement = _statement(wanted.by, filters, len(offsets), len(times))
    return await database.read(lambda tx: tx.all_of(statement, stored, **bound, most=GROUPS_AT_MOST + 1))


@lru_cache(maxsize=512)
def _statement(by: frozenset[By], filters: tuple[str, ...], offsets: int, times: int) -> Statement:
    dimensions = {
        "day": _day(offsets) if By.DAY in by else None,
        "merchant_id": "merchant_id" if by & {By.MERCHANT, By.TERMINAL} else None,
        "terminal_address": "terminal_address" if By.TERMINAL in by else None,
        "application": "application" if By.APPLICATION in by else None,
        "operation": "operation" if By.OPERATION in by else None,
    }
    assert tuple(dimensions) == _DIMENSIONS, "parts have the same columns"
    grouped = [name for name, expression in dimensions.items() if expression is not None]
    parts = [_counted(dimensions, filters, number) for number in range(times)]
    if "terminal_address" not in filters and By.TERMINAL not in by:
        parts.append(_stored(grouped, filters))
    names = ", ".join(dimensions)
    sums = ", ".join(f"SUM({measure}) AS {measure}" for measure in MEASURES)
    return Statement(
        "SELECT holds.holding, totals.*, (SELECT id FROM terminals"
        " WHERE terminals.merchant_id = totals.merchant_id"
        " AND terminals.terminal_address = totals.terminal_address) AS terminal_id FROM"
        " (SELECT COUNT(*) AS holding FROM totalled_days"
        f" WHERE id {{in_ids}} AND NOT {IS_CHANGED}) holds LEFT JOIN"
        f" (SELECT {names}, {sums} FROM ({' UNION ALL '.join(parts)}) parts"
        f" GROUP BY {names} LIMIT :most) totals ON TRUE"
        f" ORDER BY {', '.join(grouped)}"
    )


def _counted(dimensions: Mapping[str, str | None], filters: Sequence[str], number: int) -> str:
    """Return the totals of a time's payments."""
    selected = ", ".join(f"{expression or 'NULL'} AS {name}" for name, expression in dimensions.items())
    grouped = ", ".join(str(place) for place, of in enumerate(dimensions.values(), 1) if of is not None)
    where = " AND ".join([*(f"{name} = :{name}" for name in filters), IN_TIME])
    for name in ("created_from", "starts_at", "ends_at"):
        where = where.replace(f":{name}", f":{name}_{number}")
    return f"SELECT {selected}, {measures()} FROM payments WHERE {where} GROUP BY {grouped}"


def _stored(grouped: Sequence[str], filters: Sequence[str]) -> str:
    """Return the stored totals of days."""
    columns = {"application": "NULLIF(application, '')"}
    selected = ", ".join(
        f"{columns.get(name, name) if name in grouped else 'NULL'} AS {name}" for name in _DIMENSIONS
    )
    if filters:
        of = "merchant_id = :merchant_id"
    else:
        of = f"merchant_id {'<>' if 'merchant_id' in grouped else '='} '{EVERYBODY}'"
    return (
        f"SELECT {selected}, {', '.join(MEASURES)} FROM totalled_days"
        f" JOIN day_totals ON totalled_day = id WHERE id {{in_ids}} AND {of}"
    )


def _day(offsets: int) -> str:
    """Return the local day as its number since 1970."""
    changes = "".join(
        f" WHEN {time_of()} >= :from_{number} THEN CAST(:offset_{number} AS BIGINT)"
        for number in reversed(range(1, offsets))
    )
    offset = "CAST(:offset_0 AS BIGINT)"
    if changes:
        offset = f"CASE{changes} ELSE {offset} END"
    return f"(({time_of()} + {offset}) / {_DAY_MS})"


def _total(row: Row) -> Total:
    values = {name: value for name, value in row._mapping.items() if name != "holding"}
    day = values.pop("day")
    numbers = {name: int(values[name]) for name in MEASURES}
    return Total(**{**values, **numbers, "day": None if day is None else day_of_number(int(day))})
