"""Benchmark `make bench-growth`: the cost of each statement of the storage in a small and a large database.

Both have as many open payments, held terminal locks and waiting deliveries. Compared are the pages that a
statement reads and writes, which are independent of the machine; a statement whose number grows with the
installation fails. `ARGS="--large 100000:10000000"` is the full comparison: an hour and 40 GB.
"""

import argparse
import asyncio
import os
import sys
from dataclasses import dataclass
from secrets import token_hex
from typing import Final

import asyncpg
from sqlalchemy.engine import make_url

from bench.growth.data import Installation, fill
from bench.growth.statements import WHOLE_TABLE, Cost, cost, statements
from bench.system import Servers, database_named
from shared.storage.db.schema.migrate import migrate

RUNS: Final = 5
#: An index of a hundred times the rows is one or two levels higher, in each of a statement's indexes.
MOST_TIMES: Final = 2.0
#: A small table is read as a whole, a large one row by row: 60 payments are queued, four pages each.
FREE_PAGES: Final = 300


@dataclass(frozen=True, slots=True)
class Compared:
    """One statement's cost in both installations."""

    name: str
    small: Cost
    large: Cost

    @property
    def grows(self) -> bool:
        is_flat = self.large.pages <= MOST_TIMES * self.small.pages + FREE_PAGES
        return self.name not in WHOLE_TABLE and not (is_flat and not self.large.whole_tables)


def _size(text: str) -> Installation:
    terminals, payments = text.split(":")
    return Installation(int(terminals), int(payments))


async def _costs(postgres_url: str, size: Installation) -> dict[str, Cost]:
    name = f"bench_growth_{os.getpid()}_{token_hex(4)}"
    async with database_named(postgres_url, name) as database_url:
        await migrate(database_url)
        plain = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await asyncpg.connect(plain)
        try:
            await fill(connection, size)
            return {
                name: await cost(connection, statement, runs=RUNS) for name, statement in statements().items()
            }
        finally:
            await connection.close()


def _line(one: Compared) -> str:
    times = one.large.milliseconds / max(one.small.milliseconds, 0.001)
    return (
        f"{one.name:52} {one.small.pages:6} {one.large.pages:8} {one.small.milliseconds:9.3f}"
        f" {one.large.milliseconds:9.3f} {times:6.1f}{'   GROWS' if one.grows else ''}"
    )


async def compare(postgres_url: str, small: Installation, large: Installation) -> list[Compared]:
    """Return every statement's cost in both installations."""
    before, after = await _costs(postgres_url, small), await _costs(postgres_url, large)
    return [Compared(name, before[name], after[name]) for name in before]


async def check(small: Installation, large: Installation) -> bool:
    """Print every statement's cost, the largest first; return True if none grows."""
    compared = await compare(Servers.given().postgres_url, small, large)
    print(f"small: {small}\nlarge: {large}\n")
    print(f"{'statement':52} {'pages':>6} {'large':>8} {'ms':>9} {'large':>9} {'times':>6}")
    for one in sorted(compared, key=lambda one: -one.large.pages):
        print(_line(one))
    growing = [one.name for one in compared if one.grows]
    print(f"\n{len(compared)} statements, {len(growing)} grow with the installation: {', '.join(growing)}")
    return not growing


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--small", type=_size, default=Installation(100, 2_000), help="terminals:payments")
    arguments.add_argument(
        "--large", type=_size, default=Installation(100_000, 500_000), help="terminals:payments"
    )
    chosen = arguments.parse_args()
    sys.exit(not asyncio.run(check(chosen.small, chosen.large)))


if __name__ == "__main__":
    main()
