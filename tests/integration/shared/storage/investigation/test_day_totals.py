"""Stored totals of past days: each answer equals what is counted from the payments, whatever changes late."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from payments import MERCHANT, change, in_doubt, prove, refused, rows, succeeded

from shared.payment.payment import Result
from shared.payment.states import Event
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.investigation import totals as totals_module
from shared.storage.investigation.day_totals import TASK, total_next_day, totalled_days, uncovered
from shared.storage.investigation.periods import Period, day_of_time
from shared.storage.investigation.totals import By, Total, totals
from shared.storage.retention.lease import Lease, LeaseLost, acquire, end
from shared.storage.retention.run import TASK as PURGE
from shared.storage.retention.run import Kept, purge_all

DAY_MS = 86_400_000
PARIS = ZoneInfo("Europe/Paris")
#: It has the same days, and none of them is ever totalled.
BERLIN = ZoneInfo("Europe/Berlin")
OTHER = "127.0.0.10:8888"

_MOVE = Statement(
    "UPDATE payments SET created_at = created_at - :ms, claimed_at = claimed_at - :ms,"
    " ended_at = ended_at - :ms, doubted_at = doubted_at - :ms WHERE id = :id"
)


async def moved(database: Database, payment_id: str, days: float) -> str:
    """Let a payment be so many days older."""
    await database.write(lambda tx: tx.run(_MOVE, ms=round(days * DAY_MS), id=payment_id))
    return payment_id


async def lease(database: Database, owner: str = "worker-1") -> Lease:
    found = await acquire(database, TASK, owner, every_seconds=0)
    assert found is not None
    return found


async def total_all(database: Database, zone: ZoneInfo = PARIS) -> list[date]:
    """Total every day that is due; return the days."""
    owner, days = await lease(database), []
    while day := await total_next_day(database, owner, zone, longest_ms=DAY_MS // 24):
        days.append(day)
    await end(database, owner)
    return days


async def forty_days(
    database: Database,
    zone: ZoneInfo = PARIS,
    merchant_id: str | None = None,
    by: Sequence[By] = (By.DAY, By.MERCHANT, By.APPLICATION, By.OPERATION),
) -> list[Total]:
    last = day_of_time((await rows(database, "SELECT {now} AS now"))[0].now, zone)
    period = Period(last - timedelta(days=40), last, zone)
    return await totals(
        database, period, by, merchant_id=merchant_id, terminal_address=None, longest_ms=DAY_MS // 24
    )


async def assert_equal(database: Database) -> list[Total]:
    """Assert that totals with stored days are those without; return them."""
    for by in ((By.DAY, By.MERCHANT, By.APPLICATION), (By.DAY, By.OPERATION), (By.APPLICATION,)):
        for merchant_id in (None, MERCHANT, "mer_nobody"):
            counted = await forty_days(database, BERLIN, merchant_id, by)
            assert await forty_days(database, PARIS, merchant_id, by) == counted
    return await forty_days(database)


async def stored_count(database: Database) -> int:
    period = Period(date(2020, 1, 1), date(2099, 12, 31), PARIS)
    return len(await totalled_days(database, period))


async def test_totals_equal_the_payments_after_each_late_change(database: Database) -> None:
    """A doubt is settled, a proof contradicts, a sum or a time changes: seen at once, then totalled again."""
    result = Result(application="001", paid_cents=900)
    for number, days in enumerate((1, 2, 2, 5, 9)):
        paid = await succeeded(database, order_id=f"order-{number}")
        await moved(database, paid.id, days)
    doubtful = (await in_doubt(database, order_id="doubtful", terminal_address=OTHER)).payment.id
    await moved(database, doubtful, 5)
    declined = await moved(database, (await refused(database, order_id="declined")).id, 2)
    today = (await succeeded(database, order_id="today")).id
    await total_all(database)
    assert await stored_count(database) >= 8

    for late in (
        lambda: prove(database, doubtful, Event.PROVED_DONE, result),
        lambda: prove(database, declined, Event.PROVED_DONE, result),
        lambda: change(database, "UPDATE payments SET paid_cents = 1 WHERE id = :id", id=paid.id),
        lambda: moved(database, paid.id, -3),
        lambda: moved(database, today, 4),
    ):
        before = await assert_equal(database)
        await late()
        assert await assert_equal(database) != before
        assert await total_all(database), "the day is totalled again"
        await assert_equal(database)
        assert await rows(database, "SELECT at FROM late_changes") == []


async def test_totals_equal_the_payments_after_a_purge(database: Database) -> None:
    """A deleted payment counts no more, neither before nor after its day is totalled again."""
    for number, days in enumerate((3, 32, 33)):
        await moved(database, (await succeeded(database, order_id=f"order-{number}")).id, days)
    await total_all(database)
    purging = await acquire(database, PURGE, "worker-1", every_seconds=0)
    assert purging is not None

    deleted = await purge_all(database, purging, Kept(payment_days=31, delivery_days=0), lambda _: None)

    assert deleted["payments"] == 2
    for _ in range(2):
        assert len(await assert_equal(database)) == 1
        await total_all(database)


async def test_only_days_that_changed_are_totalled_again(database: Database) -> None:
    """A change of what totals do not count is none; nor is one of today."""
    paid = await moved(database, (await succeeded(database, order_id="a")).id, 3)
    days = await total_all(database)
    assert days == sorted(days, reverse=True), "newest first"

    await change(database, "UPDATE payments SET receipt = 'erased' WHERE id = :id", id=paid)
    await succeeded(database, order_id="b")
    assert await total_all(database) == []

    await change(database, "UPDATE payments SET amount_cents = 7, paid_cents = 7 WHERE id = :id", id=paid)
    assert len(await total_all(database)) == 1


async def test_long_periods_are_answered_from_the_stored_days(database: Database) -> None:
    """By terminal nothing is stored, so that all is counted."""
    await moved(database, (await succeeded(database, order_id="a")).id, 3)
    await total_all(database)
    await change(database, "UPDATE day_totals SET cents = 77")

    (stored,) = await forty_days(database)
    (counted,) = await forty_days(database, BERLIN)

    assert (stored.cents, replace(stored, cents=1000)) == (77, counted)


async def test_another_time_zone_is_totalled_anew(database: Database) -> None:
    """The setting was changed: the other zone's days go."""
    await moved(database, (await succeeded(database, order_id="a")).id, 3)
    await total_all(database, BERLIN)
    await total_all(database)

    assert {row.zone for row in await rows(database, "SELECT zone FROM totalled_days")} == {PARIS.key}
    await assert_equal(database)


async def test_a_day_that_changes_while_it_is_read_is_read_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at what is stored and the statement; each time, until all is counted."""
    paid = await moved(database, (await succeeded(database, order_id="a")).id, 3)
    await total_all(database)
    looks = 0

    async def changes_after_each_look(changed: Database, period: Period) -> dict[int, tuple[int, int]]:
        nonlocal looks
        found = await totalled_days(changed, period)
        looks += 1
        await change(database, "UPDATE payments SET paid_cents = :cents WHERE id = :id", cents=looks, id=paid)
        if looks < 3:
            await total_all(database)
        return found

    monkeypatch.setattr(totals_module, "totalled_days", changes_after_each_look)

    (found,) = await forty_days(database)
    assert (found.cents, looks) == (3, 3)


async def test_a_change_that_commits_after_its_day_was_totalled_is_seen(one: Database, two: Database) -> None:
    """Its transaction was open meanwhile, so that the totals were stored without it."""
    paid = await moved(one, (await succeeded(one, order_id="a")).id, 3)
    is_changed, may_commit = asyncio.Event(), asyncio.Event()

    async def change_slowly(tx: Transaction) -> None:
        await tx.run(Statement("UPDATE payments SET paid_cents = 5 WHERE id = :id"), id=paid)
        is_changed.set()
        await may_commit.wait()

    changing = asyncio.create_task(two.write(change_slowly))
    await is_changed.wait()
    await total_all(one)
    before = await assert_equal(one)
    may_commit.set()
    await changing

    assert [each.cents for each in before] == [1000]
    assert [each.cents for each in await assert_equal(one)] == [5]
    assert len(await total_all(one)) == 1


async def test_a_worker_that_was_taken_over_stores_nothing(database: Database) -> None:
    """Two workers never total one day."""
    await moved(database, (await succeeded(database, order_id="a")).id, 3)
    earlier = await lease(database)
    await change(database, "UPDATE tasks SET owner = 'worker-2'")

    with pytest.raises(LeaseLost):
        await total_next_day(database, earlier, PARIS, longest_ms=DAY_MS // 24)

    assert await rows(database, "SELECT id FROM totalled_days") == []


def test_short_gaps_between_counted_times_are_closed() -> None:
    """A statement counts a few times at the most; what lies between two of them is counted with them."""
    first = date(2026, 3, 1)
    period = Period(first, date(2026, 3, 10), PARIS)
    days = [(day.starts_at, day.ends_at) for day in period.days()]
    covered = [days[number] for number in (1, 3, 4, 6)]

    def shown(most: int) -> list[tuple[int, int]]:
        times = uncovered(period, covered, most=most)
        return [((starts - days[0][0]) // DAY_MS, (ends - days[0][0]) // DAY_MS) for starts, ends in times]

    assert shown(4) == [(0, 1), (2, 3), (5, 6), (7, 10)]
    assert shown(3) == [(0, 3), (5, 6), (7, 10)]
    assert shown(1) == [(0, 10)]
    assert uncovered(period, days, most=3) == []
