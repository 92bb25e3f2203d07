"""Benchmark `make bench-operator`: searches and totals on PostgreSQL with N payments, and the indexes' cost.

Each search and total runs with many values, through the product's own functions; the 95th percentile of each
must be under 200 ms.
"""

import argparse
import asyncio
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Final
from zoneinfo import ZoneInfo

import asyncpg
from sqlalchemy.engine import make_url

from bench.figures import percentile
from bench.investigation.cost import INDEXES, microseconds_without
from bench.investigation.data import BUSY_DAYS_AGO, BUSY_TERMINAL, MERCHANTS, TERMINALS, YEAR_MS, fill
from bench.system import Servers, database_named
from shared.payment.states import State
from shared.storage.db.engine import Database
from shared.storage.db.opening import open_database
from shared.storage.db.schema.migrate import migrate
from shared.storage.investigation import search, totals
from shared.storage.investigation.day_totals import TASK, total_next_day
from shared.storage.investigation.periods import Period
from shared.storage.investigation.search import Filter
from shared.storage.investigation.totals import By
from shared.storage.retention.lease import acquire

AIM_MS: Final = 200.0
RUNS: Final = 40
_DAY_MS: Final = 86_400_000
_HOUR_MS: Final = 3_600_000
_PARIS: Final = ZoneInfo("Europe/Paris")

_Run = Callable[[random.Random], Awaitable[object]]
_Make = Callable[[random.Random], Filter]


def _at(rng: random.Random) -> int:
    """Return a time of the year, in milliseconds since 1970 UTC."""
    return int(time.time() * 1000) - rng.randrange(2 * _DAY_MS, YEAR_MS - 40 * _DAY_MS)


def _within(rng: random.Random, days: int) -> tuple[int, int]:
    start = _at(rng)
    return start, start + days * _DAY_MS


def _card(rng: random.Random) -> str:
    return f"{rng.randrange(10_000):04d}"


def _merchant(rng: random.Random) -> str:
    return f"mer_{rng.randrange(2, MERCHANTS)}"


def _terminal(rng: random.Random) -> str:
    return f"10.0.0.{rng.randrange(TERMINALS)}:8888"


def _of_amount_and_day(rng: random.Random) -> Filter:
    start, end = _within(rng, 1)
    return Filter(amount_from=4250, amount_to=4250, created_from=start, created_before=end)


def _of_receipt_and_terminal(rng: random.Random) -> Filter:
    return Filter(terminal_address=_terminal(rng), receipt_number=str(rng.randrange(10_000)))


def _of_busy_terminal(_: random.Random) -> Filter:
    start = int(time.time() * 1000) // _DAY_MS * _DAY_MS - BUSY_DAYS_AGO * _DAY_MS
    return Filter(
        terminal_address=BUSY_TERMINAL,
        created_from=start,
        created_before=start + _DAY_MS,
        twin_within_ms=_HOUR_MS,
    )


def _searches(payments: int) -> dict[str, _Make]:
    return {
        "order": lambda rng: Filter(order_id=f"order-{rng.randrange(payments)}"),
        "card": lambda rng: Filter(card_last_four=_card(rng)),
        "card and amount": lambda rng: Filter(card_last_four=_card(rng), amount_from=4250, amount_to=4250),
        "authorisation number": lambda rng: Filter(authorisation_number=f"{rng.randrange(10**6):06d}"),
        "terminal": lambda rng: Filter(terminal_address=_terminal(rng)),
        "receipt and terminal": _of_receipt_and_terminal,
        "amount and day": _of_amount_and_day,
        "amount alone, a page": lambda _rng: Filter(amount_from=1, amount_to=1),
        "newest of all": lambda _rng: Filter(),
        "newest of a merchant": lambda rng: Filter(merchant_id=_merchant(rng)),
        "a merchant's refused": lambda rng: Filter(merchant_id=_merchant(rng), state=State.REFUSED),
        "charged twice, card": lambda rng: Filter(card_last_four=_card(rng), twin_within_ms=_HOUR_MS),
        "charged twice, a busy terminal's day": _of_busy_terminal,
        "charged twice, a page": lambda _rng: Filter(twin_within_ms=_HOUR_MS),
    }


def _runs(database: Database, payments: int) -> dict[str, _Run]:
    """Return what is measured by name."""

    def find(make: _Make) -> _Run:
        return lambda rng: search.payments(database, make(rng), after=None, limit=20)

    def total(days: int, merchant: Callable[[random.Random], str | None]) -> _Run:
        def run(rng: random.Random) -> Awaitable[object]:
            first = datetime.fromtimestamp(_at(rng) / 1000, UTC).date()
            period = Period(first, first + timedelta(days=days - 1), _PARIS)
            by = (By.DAY, By.APPLICATION, By.OPERATION)
            return totals.totals(
                database,
                period,
                by,
                merchant_id=merchant(rng),
                terminal_address=None,
                longest_ms=_HOUR_MS,
            )

        return run

    return {
        **{f"search: {name}": find(make) for name, make in _searches(payments).items()},
        "totals: a day of everybody": total(1, lambda _rng: None),
        "totals: a month of a merchant": total(31, _merchant),
        "totals: a day of the largest merchant": total(1, lambda _rng: "mer_1"),
        "totals: a month of the largest merchant": total(31, lambda _rng: "mer_1"),
        "totals: a month of everybody": total(31, lambda _rng: None),
        "totals: a year of everybody": total(366, lambda _rng: None),
    }


async def _total_days(database: Database) -> None:
    """Total every day, as a worker does, and print the time that it takes."""
    lease = await acquire(database, TASK, "bench", every_seconds=0)
    assert lease is not None, "nobody else totals here"
    days, worst, began = 0, 0.0, time.perf_counter()
    while True:
        day_began = time.perf_counter()
        if await total_next_day(database, lease, _PARIS, longest_ms=_HOUR_MS) is None:
            break
        days, worst = days + 1, max(worst, time.perf_counter() - day_began)
    seconds = time.perf_counter() - began
    print(f"{days} days totalled: {seconds / days * 1000:.0f} ms a day, the longest {worst * 1000:.0f} ms\n")


async def _milliseconds(run: _Run) -> list[float]:
    rng, found = random.Random(1), []
    for _ in range(RUNS):
        began = time.perf_counter()
        await run(rng)
        found.append((time.perf_counter() - began) * 1000)
    return found


async def measure(payments: int) -> bool:
    """Print every figure; return True if all are under the aim."""
    name = f"bench_operator_{os.getpid()}_{token_hex(4)}"
    slow = []
    async with database_named(Servers.given().postgres_url, name) as database_url:
        await migrate(database_url)
        plain = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await asyncpg.connect(plain)
        database = open_database(database_url, pool_size=2)
        try:
            began = time.perf_counter()
            await fill(connection, payments)
            print(f"{payments:,} payments, {time.perf_counter() - began:.0f} s to fill")
            await _total_days(database)
            print(f"{'what':42} {'p50 ms':>9} {'p95 ms':>9}")
            for what, run in _runs(database, payments).items():
                times = await _milliseconds(run)
                p50, p95 = percentile(times, 50), percentile(times, 95)
                if p95 > AIM_MS:
                    slow.append(what)
                print(f"{what:42} {p50:9.1f} {p95:9.1f}{'   SLOW' if p95 > AIM_MS else ''}", flush=True)
            print("\nIndexes of searches:")
            for index in INDEXES:
                size = await connection.fetchval(
                    "SELECT pg_size_pretty(pg_relation_size($1::regclass))", index
                )
                definition = await connection.fetchval("SELECT pg_get_indexdef($1::text::regclass)", index)
                print(f"{size:>8} {definition.partition(' USING ')[2]}")
            print("\nPostgreSQL's time for a payment's rows (insert, claim, result):")
            for what, microseconds in (await microseconds_without(connection)).items():
                print(f"{microseconds:5.0f} us {what}")
        finally:
            await database.close()
            await connection.close()
    print(f"\n{len(slow)} above {AIM_MS:.0f} ms: {', '.join(slow)}")
    return not slow


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--payments", type=int, default=1_000_000)
    chosen = arguments.parse_args()
    sys.exit(not asyncio.run(measure(chosen.payments)))


if __name__ == "__main__":
    main()
