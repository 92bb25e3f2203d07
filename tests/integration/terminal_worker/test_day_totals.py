"""A worker's part in the totalling of past days."""

import asyncio
import random
from typing import Any

import pytest
from payments import change, rows, succeeded, with_merchant

from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from terminal_worker import day_totals
from terminal_worker.day_totals import DayTotals


async def test_one_of_two_workers_totals_the_days(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one finds it done; the next look is due a minute later."""
    monkeypatch.setattr(day_totals, "PAUSE_SECONDS", 0)
    await with_merchant(database)
    await succeeded(database)
    await change(
        database,
        "UPDATE payments SET created_at = created_at - :ms, ended_at = ended_at - :ms",
        ms=3 * 86_400_000,
    )
    settings: dict[str, Any] = {"time_zone": "Indian/Reunion"}
    workers = [
        DayTotals(database, Settings(**settings), f"worker-{number}", random.Random(number))
        for number in range(2)
    ]

    await asyncio.gather(*(worker.once() for worker in workers))

    days = await rows(database, "SELECT zone, day FROM totalled_days ORDER BY day")
    assert {row.zone for row in days} == {"Indian/Reunion"}
    assert [row.day - days[0].day for row in days] == list(range(len(days)))
    assert len(days) >= 2
    (total,) = await rows(database, "SELECT cents FROM day_totals WHERE merchant_id = ''")
    assert total.cents == 1000
