"""Stored totals of past days by merchant, operation and application, from which long periods are answered.

One process at a time totals the days of a time zone, newest first, each in a transaction of its own. A day's
totals hold as long as no late change of it is noted: both come in one transaction, so that no statement sees
one without the other. A noted day is counted again; until then its totals are read from the payments.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.investigation.counting import IN_TIME, MEASURES, measures
from shared.storage.investigation.periods import Period, day_number, day_of_number, day_of_time
from shared.storage.retention.lease import Lease, renew

TASK: Final = "totals"
#: In place of a merchant's id: the sums over all of them.
EVERYBODY: Final = ""
#: Time after a day's end when it is totalled: hours more than `late_changes.LATE_MS`, the age from which on
#: changes are noted, and than any transaction lasts.
CLOSED_MS: Final = 4 * 3_600_000

_TIMES = Statement("SELECT {now} AS now, (SELECT MIN(created_at) FROM payments) AS oldest")
_DAYS = Statement("SELECT day FROM totalled_days WHERE zone = :zone")

#: Condition of a totalled day with a late change.
IS_CHANGED: Final = (
    "EXISTS (SELECT 1 FROM late_changes WHERE at >= totalled_days.starts_at AND at < totalled_days.ends_at)"
)
_CHANGED = Statement(
    f"SELECT day FROM totalled_days WHERE zone = :zone AND {IS_CHANGED} ORDER BY day DESC LIMIT 1"
)

#: The setting was changed: the days of one zone are kept.
_DELETE_OTHER_TOTALS = Statement(
    "DELETE FROM day_totals WHERE totalled_day IN (SELECT id FROM totalled_days WHERE zone <> :zone)"
)
_DELETE_OTHER_DAYS = Statement("DELETE FROM totalled_days WHERE zone <> :zone")
#: Days before and after those that are totalled need no note.
_DELETE_NEEDLESS = Statement(
    "DELETE FROM late_changes WHERE at < (SELECT MIN(starts_at) FROM totalled_days)"
    " OR at >= (SELECT MAX(ends_at) FROM totalled_days)"
)

#: First the notes, so that a change whose note is deleted is counted by the later statement.
_DELETE_NOTES = Statement("DELETE FROM late_changes WHERE at >= :starts_at AND at < :ends_at")
_DELETE_TOTALS = Statement(
    "DELETE FROM day_totals WHERE totalled_day IN"
    " (SELECT id FROM totalled_days WHERE zone = :zone AND day = :day)"
)
_DELETE_DAY = Statement("DELETE FROM totalled_days WHERE zone = :zone AND day = :day")
_INSERT_DAY = Statement(
    "INSERT INTO totalled_days (zone, day, starts_at, ends_at) VALUES (:zone, :day, :starts_at, :ends_at)"
    " RETURNING id"
)
_INSERT_TOTALS = Statement(
    f"INSERT INTO day_totals (totalled_day, merchant_id, operation, application, {', '.join(MEASURES)})"
    " SELECT CAST(:totalled_day AS BIGINT), merchant_id, operation, COALESCE(application, ''),"
    f" {measures()} FROM payments WHERE {IN_TIME} GROUP BY 2, 3, 4"
)
#: Over all merchants: a month of everybody is some hundred rows.
_INSERT_SUMS = Statement(
    f"INSERT INTO day_totals (totalled_day, merchant_id, operation, application, {', '.join(MEASURES)})"
    f" SELECT totalled_day, '{EVERYBODY}', operation, application,"
    f" {', '.join(f'SUM({measure})' for measure in MEASURES)}"
    " FROM day_totals WHERE totalled_day = :totalled_day GROUP BY totalled_day, operation, application"
)


async def total_next_day(database: Database, lease: Lease, zone: ZoneInfo, *, longest_ms: int) -> date | None:
    """Total a day that changed, else the newest that is not totalled yet; None: there is none.

    `longest_ms`: time from a payment's acceptance to its transaction's end at the most. Raises LeaseLost,
    DatabaseUnavailable, CommitUnknown.
    """

    async def work(tx: Transaction) -> date | None:
        await renew(tx, lease)
        await tx.run(_DELETE_OTHER_TOTALS, zone=zone.key)
        await tx.run(_DELETE_OTHER_DAYS, zone=zone.key)
        day = await _next_day(tx, zone)
        if day is not None:
            await _total(tx, Period(day, day, zone), longest_ms)
        return day

    return await database.write(work)


async def _next_day(tx: Transaction, zone: ZoneInfo) -> date | None:
    await tx.run(_DELETE_NEEDLESS)
    changed = await tx.one(_CHANGED, zone=zone.key)
    if changed is not None:
        return day_of_number(changed.day)
    times = await tx.one(_TIMES)
    assert times is not None, "the times are one row"
    if times.oldest is None:
        return None
    totalled = {row.day for row in await tx.all(_DAYS, zone=zone.key)}
    return _newest_missing(
        totalled, day_of_time(times.oldest, zone), day_of_time(times.now - CLOSED_MS, zone)
    )


def _newest_missing(totalled: set[int], first: date, end: date) -> date | None:
    """Return the newest day from the first on and before the end that is not totalled."""
    day = end - timedelta(days=1)
    while day >= first:
        if day_number(day) not in totalled:
            return day
        day -= timedelta(days=1)
    return None


async def _total(tx: Transaction, day: Period, longest_ms: int) -> None:
    key = {"zone": day.zone.key, "day": day_number(day.first)}
    time = {"starts_at": day.starts_at, "ends_at": day.ends_at}
    await tx.run(_DELETE_NOTES, **time)
    await tx.run(_DELETE_TOTALS, **key)
    await tx.run(_DELETE_DAY, **key)
    totalled = await tx.one(_INSERT_DAY, **key, **time)
    assert totalled is not None, "an inserted row is returned"
    await tx.run(_INSERT_TOTALS, totalled_day=totalled.id, created_from=day.starts_at - longest_ms, **time)
    await tx.run(_INSERT_SUMS, totalled_day=totalled.id)


_HOLDING = Statement(
    "SELECT id, starts_at, ends_at FROM totalled_days"
    f" WHERE zone = :zone AND day >= :first AND day <= :last AND NOT {IS_CHANGED}"
)


async def totalled_days(database: Database, period: Period) -> dict[int, tuple[int, int]]:
    """Return the totalled days of a period that hold now: start and end by id. Raises DatabaseUnavailable."""
    rows = await database.read(
        lambda tx: tx.all(
            _HOLDING, zone=period.zone.key, first=day_number(period.first), last=day_number(period.last)
        )
    )
    # A day with other bounds was totalled by other rules of the zone.
    known = {(day.starts_at, day.ends_at) for day in period.days()} if rows else set()
    found = {row.id: (row.starts_at, row.ends_at) for row in rows}
    return {number: bounds for number, bounds in found.items() if bounds in known}


def uncovered(period: Period, covered: Sequence[tuple[int, int]], *, most: int) -> list[tuple[int, int]]:
    """Return the times of a period that are not covered, in order; short gaps are closed beyond `most`."""
    edges = [period.starts_at, *(at for bounds in sorted(covered) for at in bounds), period.ends_at]
    times = [(starts, ends) for starts, ends in zip(edges[::2], edges[1::2], strict=True) if starts < ends]
    while len(times) > most:
        nearest = min(range(len(times) - 1), key=lambda number: times[number + 1][0] - times[number][1])
        times[nearest : nearest + 2] = [(times[nearest][0], times[nearest + 1][1])]
    return times
