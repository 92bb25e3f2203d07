"""Purge and erasure by the command, and the workers' daily purge."""

import random
from asyncio import to_thread

import pytest
from databases import Store
from payments import MERCHANT, change, rows, succeeded, with_merchant
from running.command import on_machine

from shared.metrics.metrics import Metrics
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from terminal_worker.retention import Retention

DAY_MS = 86_400_000


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    return sqlite_store


async def sold(database: Database, order_id: str, days_ago: int) -> str:
    payment = await succeeded(database, order_id=order_id)
    await change(
        database,
        "UPDATE payments SET created_at = created_at - :ms, ended_at = ended_at - :ms WHERE id = :id",
        ms=days_ago * DAY_MS,
        id=payment.id,
    )
    return payment.id


async def orders(database: Database) -> set[str]:
    return {row.order_id for row in await rows(database, "SELECT order_id FROM payments")}


async def test_a_purge_counts_first_and_deletes_what_it_counted(database: Database, store: Store) -> None:
    """`--dry-run` deletes nothing; without `--yes` somebody has to say so."""
    await with_merchant(database)
    await sold(database, "old", 401)
    await sold(database, "young", 399)
    here = on_machine(store)

    assert (await to_thread(here.row, "purge", "--dry-run"))["payments"] == 1
    assert await orders(database) == {"old", "young"}
    await to_thread(here.run, "purge", code=1)
    assert await orders(database) == {"old", "young"}, "nobody said yes"
    assert "1 payments" in (await to_thread(here.run, "purge", "--yes")).stdout
    assert await orders(database) == {"young"}
    assert (await to_thread(here.run, "purge")).stdout == "Would be deleted: nothing.\n"
    await to_thread(here.run, "purge", "--payment-days", "1", code=2)


async def test_an_orders_customer_data_is_erased_by_the_command(database: Database, store: Store) -> None:
    """An unknown order is exit code 3."""
    await with_merchant(database)
    await sold(database, "a", 1)
    here, why = on_machine(store), ("--name", "Jane Doe", "--reason", "letter", "--yes")

    assert (await to_thread(here.row, "erase", MERCHANT, "a", *why))["payments"] == 1
    unknown = await to_thread(here.run, "erase", MERCHANT, "b", *why, code=3)
    assert "no payment of this order" in unknown.stderr


async def test_one_of_the_workers_purges_once_a_day(database: Database) -> None:
    """Elected through the database; the others find it done."""
    await with_merchant(database)
    await sold(database, "old", 401)
    workers = [
        Retention(database, Metrics("terminal-worker"), Settings(), f"worker-{n}", random.Random(1))
        for n in range(2)
    ]

    for worker in workers:
        await worker.once()
    assert await orders(database) == set()
    await sold(database, "older", 402)
    for worker in workers:
        await worker.once()
    assert await orders(database) == {"older"}

    await change(database, "UPDATE tasks SET started_at = started_at - :ms", ms=DAY_MS)
    await workers[1].once()
    assert await orders(database) == set()
