"""Ages of the last purge and of the oldest payment, as the workers' metrics show them."""

import random

from payments import change, succeeded
from prometheus_client import generate_latest

from shared.metrics.metrics import Metrics
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from shared.storage.retention.ages import retention_ages
from shared.storage.retention.lease import acquire, end
from shared.storage.retention.run import TASK
from terminal_worker.installation import InstallationCounts
from terminal_worker.retention import EVERY_SECONDS, Retention

DAY_SECONDS = 86_400
DAY_MS = 1000 * DAY_SECONDS


async def days_pass(database: Database, days: int) -> None:
    await change(
        database,
        "UPDATE tasks SET started_at = started_at - :ms, ended_at = ended_at - :ms",
        ms=days * DAY_MS,
    )


async def begin(database: Database) -> None:
    """Begin a purge whose process dies at once."""
    assert await acquire(database, TASK, "worker-1", every_seconds=EVERY_SECONDS) is not None
    await change(database, "UPDATE tasks SET lease_until = 0")


async def test_the_age_of_the_last_purge_that_ended_grows_while_later_ones_fail(database: Database) -> None:
    """A first one counts from a day before; one that does not end is due again at once."""
    assert (await retention_ages(database)).purged_seconds == 0, "no worker has looked yet"
    await begin(database)
    assert DAY_SECONDS <= (await retention_ages(database)).purged_seconds < DAY_SECONDS + 60
    await days_pass(database, 2)
    await begin(database)
    await begin(database)
    assert 3 * DAY_SECONDS <= (await retention_ages(database)).purged_seconds < 3 * DAY_SECONDS + 60

    lease = await acquire(database, TASK, "worker-2", every_seconds=EVERY_SECONDS)
    assert lease is not None
    await end(database, lease)

    assert (await retention_ages(database)).purged_seconds < 60
    assert await acquire(database, TASK, "worker-2", every_seconds=EVERY_SECONDS) is None


async def test_a_worker_counts_what_its_purge_deleted_and_shows_what_is_kept(database: Database) -> None:
    """Rows by table; each step once, though it is told of all before it."""
    for order_id, days in (("old", 401), ("older", 500), ("young", 7)):
        payment = await succeeded(database, order_id=order_id)
        await change(
            database,
            "UPDATE payments SET created_at = created_at - :ms, ended_at = ended_at - :ms WHERE id = :id",
            ms=days * DAY_MS, id=payment.id,
        )  # fmt: skip
        await change(database, "UPDATE deliveries SET state = 'delivered'")
    metrics = Metrics("terminal-worker")

    await Retention(database, metrics, Settings(), "worker-1", random.Random(1)).once()
    await InstallationCounts(database, metrics, random.Random(1)).measure()

    lines = generate_latest(metrics.registry).decode().splitlines()
    assert 'cloud_terminal_purged_rows_total{table="payments"} 2.0' in lines
    samples = [line.split() for line in lines if line[0] != "#" and "{" not in line]
    ages = {name: float(value) for name, value in samples}
    assert ages["cloud_terminal_purge_age_seconds"] < 60
    assert 7 * DAY_SECONDS <= ages["cloud_terminal_oldest_payment_age_seconds"] < 7 * DAY_SECONDS + 60
