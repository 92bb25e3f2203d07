"""Totals of payments by local day, terminal, application and operation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from shared.storage.db.engine import Database, Row
from shared.storage.db.statement import Statement

#: Groups of one answer; more would be a list of payments.
GROUPS_AT_MOST: Final = 20_000

_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 86_400_000
_EPOCH: Final = date(1970, 1, 1)

#: The time of the terminal's transaction: its end. The end of a doubt comes later, so such a payment has the
#: time of its claim, a few minutes before at the most.
AT: Final = "CASE WHEN doubted_at IS NULL THEN COALESCE(ended_at, claimed_at, created_at) ELSE claimed_at END"
#: Payments whose outcome is known and undisputed, open, or contradicted by a proof: each is one of them.
_DONE: Final = "state = 'succeeded' AND NOT contradicted"
_IS_OPEN: Final = "state IN ('in_session', 'in_doubt')"
_COUNTED: Final = f"({_DONE} OR {_IS_OPEN} OR contradicted)"
_CENTS: Final = "COALESCE(paid_cents, amount_cents)"


class By(StrEnum):
    """A dimension of totals."""

    DAY = "day"
    MERCHANT = "merchant"
    TERMINAL = "terminal"
    APPLICATION = "application"
    OPERATION = "operation"


@dataclass(frozen=True, slots=True)
class Period:
    """Whole local days, the last included."""

    first: date
    last: date
    zone: ZoneInfo

    @property
    def starts_at(self) -> int:
        """Milliseconds since 1970 UTC of the first day's midnight."""
        return _midnight(self.first, self.zone)

    @property
    def ends_at(self) -> int:
        """Milliseconds since 1970 UTC of the midnight after the last day."""
        return _midnight(self.last + timedelta(days=1), self.zone)

    def offsets(self) -> list[tuple[int, int]]:
        """Return the zone's offsets in milliseconds, each with the time from which it holds, in order."""
        found = [(self.starts_at, _offset(self.starts_at, self.zone))]
        for begins in range(self.starts_at, self.ends_at, _DAY_MS):
            ends = min(begins + _DAY_MS, self.ends_at)
            if _offset(ends, self.zone) == found[-1][1]:
                continue
            # Clocks change at whole quarters of an hour. Only the days of a change are looked through: a
            # year of quarters takes as long as fifty requests.
            for at in range(begins, ends + 1, _HOUR_MS // 4):
                offset = _offset(at, self.zone)
                if at < self.ends_at and found[-1][1] != offset:
                    found.append((at, offset))
        return found


def _midnight(day: date, zone: ZoneInfo) -> int:
    return round(datetime.combine(day, time(), zone).timestamp() * 1000)


def _offset(at: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).utcoffset()
    assert offset is not None, "the time has a zone"
    return round(offset.total_seconds() * 1000)


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


async def totals(
    database: Database,
    period: Period,
    by: Sequence[By],
    *,
    merchant_id: str | None,
    terminal_address: str | None,
    longest_seconds: float,
) -> list[Total]:
    """Return the totals, sorted by their dimensions. Raises TooManyGroups, DatabaseUnavailable.

    `longest_seconds`: time from a payment's acceptance to its transaction's end at the most.
    """
    offsets = period.offsets()
    given = {"merchant_id": merchant_id, "terminal_address": terminal_address}
    filters = {name: value for name, value in given.items() if value is not None}
    statement = _statement(frozenset(by), tuple(filters), len(offsets))
    changes: dict[str, object] = {}
    if By.DAY in by:
        changes = {f"offset_{number}": offset for number, (_, offset) in enumerate(offsets)}
        changes |= {f"from_{number}": at for number, (at, _) in enumerate(offsets) if number}
    rows = await database.read(
        lambda tx: tx.all(
            statement,
            created_from=period.starts_at - round(longest_seconds * 1000),
            starts_at=period.starts_at,
            ends_at=period.ends_at,
            most=GROUPS_AT_MOST + 1,
            **filters,
            **changes,
        )
    )
    if len(rows) > GROUPS_AT_MOST:
        raise TooManyGroups
    return [_total(row) for row in rows]


@lru_cache(maxsize=512)
def _statement(by: frozenset[By], filters: tuple[str, ...], offsets: int) -> Statement:
    dimensions = {
        "day": _day(offsets) if By.DAY in by else None,
        "merchant_id": "merchant_id" if by & {By.MERCHANT, By.TERMINAL} else None,
        "terminal_address": "terminal_address" if By.TERMINAL in by else None,
        "application": "application" if By.APPLICATION in by else None,
        "operation": "operation" if By.OPERATION in by else None,
    }
    grouped = [name for name, expression in dimensions.items() if expression is not None]
    selected = [f"{expression or 'NULL'} AS {name}" for name, expression in dimensions.items()]
    conditions = [f"{name} = :{name}" for name in filters]
    where = " AND ".join(
        [
            *conditions,
            "created_at >= :created_from AND created_at < :ends_at",
            f"{AT} >= :starts_at AND {AT} < :ends_at",
            _COUNTED,
        ]
    )
    names = ", ".join(dimensions)
    return Statement(
        "SELECT totals.*, (SELECT id FROM terminals WHERE terminals.merchant_id = totals.merchant_id"
        " AND terminals.terminal_address = totals.terminal_address) AS terminal_id FROM ("
        f"SELECT {names}, {_sum(_DONE, '')}, {_sum(_IS_OPEN, 'open_')},"
        f" {_sum('contradicted', 'contradicted_')}"
        f" FROM (SELECT {', '.join(selected)}, state, contradicted, {_CENTS} AS paid FROM payments"
        f" WHERE {where}) counted GROUP BY {names} LIMIT :most) totals"
        + (f" ORDER BY {', '.join(grouped)}" if grouped else "")
    )


def _sum(condition: str, prefix: str) -> str:
    open_or_not = condition if prefix == "contradicted_" else f"{condition} AND NOT contradicted"
    return (
        f"COUNT(CASE WHEN {open_or_not} THEN 1 END) AS {prefix}count,"
        f" COALESCE(SUM(CASE WHEN {open_or_not} THEN paid END), 0) AS {prefix}cents"
    )


def _day(offsets: int) -> str:
    """Return the local day as its number since 1970."""
    changes = "".join(
        f" WHEN {AT} >= :from_{number} THEN CAST(:offset_{number} AS BIGINT)"
        for number in reversed(range(1, offsets))
    )
    offset = "CAST(:offset_0 AS BIGINT)"
    if changes:
        offset = f"CASE{changes} ELSE {offset} END"
    return f"(({AT} + {offset}) / {_DAY_MS})"


def _total(row: Row) -> Total:
    values = dict(row._mapping)
    day = values.pop("day")
    numbers = {name: int(value) for name, value in values.items() if name.endswith(("count", "cents"))}
    return Total(**{**values, **numbers, "day": None if day is None else _EPOCH + timedelta(days=int(day))})
