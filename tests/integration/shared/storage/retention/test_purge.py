"""The purge: what is old goes with all that belongs to it, what is open or disputed never does."""

from collections import Counter
from typing import Any

import pytest
from payments import (
    MERCHANT,
    change,
    ended,
    in_doubt,
    prove,
    queued,
    refused,
    rows,
    stored,
    succeeded,
)  # fmt: skip

from shared.metrics.catalogue.database import PURGED_TABLES
from shared.payment.payment import Operation, Payment
from shared.payment.states import Event
from shared.storage.db.engine import Database
from shared.storage.investigation.responses import GivenResponse, store
from shared.storage.retention import run
from shared.storage.retention.lease import Lease, LeaseLost, acquire
from shared.storage.retention.run import TASK, Kept, count_all, purge_all

DAY_MS = 86_400_000
KEPT = Kept(payment_days=400, delivery_days=90)
#: Tables of what belongs to a payment.
TABLES = (
    "payments", "payment_events", "evidence", "gateway_records", "events", "deliveries", "delivery_attempts",
    "responses", "idempotency_keys",
)  # fmt: skip


@pytest.fixture(autouse=True)
async def merchant(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "PAUSE_SECONDS", 0)
    await change(
        database,
        "INSERT INTO webhook_endpoints (id, merchant_id, url, created_at, changed_at)"
        " VALUES ('whe_1', :merchant, 'https://pos.example/hooks', 0, 0)",
        merchant=MERCHANT,
    )


async def age(database: Database, payment_id: str, days: float) -> None:
    """Let a payment, and its deliveries, be so much older; its deliveries have ended."""
    ms = round(days * DAY_MS)
    await change(
        database,
        "UPDATE payments SET created_at = created_at - :ms, ended_at = ended_at - :ms WHERE id = :id",
        ms=ms, id=payment_id,
    )  # fmt: skip
    await change(
        database,
        "UPDATE deliveries SET created_at = created_at - :ms, state = 'delivered' WHERE payment_id = :id",
        ms=ms, id=payment_id,
    )  # fmt: skip


async def leased(database: Database, owner: str = "worker-1") -> Lease:
    lease = await acquire(database, TASK, owner, every_seconds=0)
    assert lease is not None
    return lease


async def purge(database: Database) -> Counter[str]:
    return await purge_all(database, await leased(database), KEPT, lambda _: None)


async def count_of(database: Database, table: str) -> int:
    ((found,),) = await rows(database, f"SELECT COUNT(*) FROM {table}")
    return int(found)


async def ids(database: Database) -> set[str]:
    return {row.id for row in await rows(database, "SELECT id FROM payments")}


async def with_everything(database: Database, **changes: Any) -> Payment:
    """Store a success with a row in every table."""
    payment = await succeeded(database, idempotency_key="key-1", **changes)
    await prove(database, payment.id, Event.PROVED_DONE)
    await change(
        database,
        "INSERT INTO gateway_records (source, record_id, payment_id, content, at)"
        " VALUES ('preludd', 'r1', :id, '{{}}', 0)",
        id=payment.id,
    )
    await change(
        database,
        "INSERT INTO delivery_attempts (delivery_id, at, duration_ms) SELECT id, 0, 1 FROM deliveries",
    )
    await store(
        database,
        [
            GivenResponse(
                id="r1", payment_id=payment.id, ms_ago=0, status=200, code="Success", request="POST /",
                credential="ct", client=None, request_id=None, client_left=False,
            )
        ],
    )  # fmt: skip
    return payment


def test_metrics_name_every_table_that_a_purge_deletes_from() -> None:
    assert sorted(PURGED_TABLES) == sorted(TABLES)


async def test_an_old_payment_goes_with_all_that_belongs_to_it(database: Database) -> None:
    """From every table; a younger one stays whole; the count before says the same."""
    old = await with_everything(database, order_id="old")
    await age(database, old.id, 401)
    before = {table: await count_of(database, table) for table in TABLES}
    assert all(before.values()), before
    young = await succeeded(database, order_id="young")
    await age(database, young.id, 399)
    whole = {table: await count_of(database, table) - before[table] for table in TABLES}
    # Deliveries of 399 days are older than 90, too.
    whole |= {"deliveries": 0, "delivery_attempts": 0}

    counted = await count_all(database, KEPT, lambda _: None)
    deleted = await purge(database)

    assert counted["payments"] == deleted["payments"] == 1
    assert counted["deliveries"] == deleted["deliveries"] == 2
    assert await ids(database) == {young.id}
    assert {table: await count_of(database, table) for table in TABLES} == whole
    (action,) = await rows(database, "SELECT by, action FROM audit_trail WHERE action = 'purged'")
    assert tuple(action) == ("worker-1", "purged")
    assert await purge(database) == Counter()


async def test_a_delivery_that_was_written_after_its_payment_is_purged_as_old_as_any_other(
    database: Database,
) -> None:
    """The purge of the day before came to its payment, and it was too young by the session's minute."""
    payment = await succeeded(database, order_id="late")
    await age(database, payment.id, 90.01)
    await change(database, "UPDATE deliveries SET created_at = created_at + 2 * 864000")
    assert await purge(database) == Counter()

    await change(database, "UPDATE deliveries SET created_at = created_at - 864000 * 3")

    assert (await count_all(database, KEPT, lambda _: None))["deliveries"] == 1
    assert (await purge(database))["deliveries"] == 1


async def test_what_is_in_doubt_or_disputed_is_never_purged(database: Database) -> None:
    """However old; nor is the rest of an order that is locked for review, or what waits to be sent."""
    doubtful = await in_doubt(database, order_id="a", terminal_address="127.0.0.1:1")
    contradicted = await refused(database, order_id="b")
    other_attempt = await refused(database, order_id="b")
    await prove(database, contradicted.id, Event.PROVED_DONE)
    waiting = await queued(database, order_id="c")
    notified = await succeeded(database, order_id="d")
    kept = {doubtful.payment.id, contradicted.id, other_attempt.id, waiting, notified.id}
    for payment_id in kept:
        await age(database, payment_id, 2000)
    await change(database, "UPDATE deliveries SET state = 'waiting' WHERE payment_id = :id", id=notified.id)

    counted = await count_all(database, KEPT, lambda _: None)
    await purge(database)

    assert counted["payments"] == 0
    assert await ids(database) == kept


async def test_a_debit_stays_as_long_as_what_was_given_back_of_it(database: Database) -> None:
    """A debit and its credits go together: only both tell the sum that may still be credited."""
    debit = await succeeded(database, order_id="a", amount_cents=1000)
    credit = await succeeded(database, order_id="a", operation=Operation.CREDIT, amount_cents=400)
    await age(database, debit.id, 800)

    await purge(database)
    assert await ids(database) == {debit.id, credit.id}
    await age(database, credit.id, 800)
    await purge(database)
    assert await ids(database) == set()


async def test_an_old_credit_of_a_kept_debit_stays(database: Database) -> None:
    """A second credit must not exceed what is left."""
    debit = await refused(database, order_id="a", amount_cents=1000)
    await prove(database, debit.id, Event.PROVED_DONE)
    credit = await ended(database, Event.ANSWERED_DONE, order_id="b", operation=Operation.DEBIT)
    await change(
        database, "UPDATE payments SET debit_id = :debit WHERE id = :id", debit=debit.id, id=credit.id
    )
    for payment_id in (debit.id, credit.id):
        await age(database, payment_id, 800)

    await purge(database)

    assert await ids(database) == {debit.id, credit.id}


async def test_an_order_number_is_free_again_after_its_purge(database: Database) -> None:
    """With its idempotency key."""
    old = await succeeded(database, order_id="a", idempotency_key="key-1")
    await age(database, old.id, 401)
    await purge(database)

    await succeeded(database, order_id="b", idempotency_key="key-1")
    assert (await stored(database, await queued(database, order_id="a"))).order_id == "a"


async def test_deliveries_go_before_their_payments(database: Database) -> None:
    """After 90 days, but for those that wait; a later run goes on where this one came to."""
    old, young = await succeeded(database, order_id="a"), await succeeded(database, order_id="b")
    await age(database, old.id, 91)

    deleted = await purge(database)

    assert deleted == Counter(deliveries=1)
    left = await rows(database, "SELECT payment_id FROM deliveries")
    assert [row.payment_id for row in left] == [young.id]
    await age(database, young.id, 91)
    assert await purge(database) == Counter(deliveries=1)
    assert await ids(database) == {old.id, young.id}


async def test_one_process_purges_at_a_time(database: Database, second_database: Database) -> None:
    """And once a day; after the death of its process another one goes on when the lease is over."""
    first = await acquire(database, TASK, "worker-1", every_seconds=86_400)
    assert first is not None
    assert await acquire(second_database, TASK, "worker-2", every_seconds=0) is None

    await change(database, "UPDATE tasks SET lease_until = 0")
    second = await acquire(second_database, TASK, "worker-2", every_seconds=86_400)
    assert second is not None, "the run did not end: it is due at once"
    old = await succeeded(database, order_id="a")
    await age(database, old.id, 401)
    with pytest.raises(LeaseLost):
        await purge_all(database, first, KEPT, lambda _: None)
    assert await ids(database) == {old.id}

    await purge_all(second_database, second, KEPT, lambda _: None)
    assert await ids(database) == set()
    assert await acquire(database, TASK, "worker-1", every_seconds=86_400) is None, "it is done for today"


async def test_a_purge_that_is_killed_in_the_middle_is_resumed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step is whole or not done; the next run deletes the rest."""
    monkeypatch.setattr("shared.storage.retention.purge.STEP", 2)
    for number in range(5):
        payment = await succeeded(database, order_id=f"{number}")
        await age(database, payment.id, 401)

    class Killed(Exception):
        pass

    def kill(deleted: Counter[str]) -> None:
        if deleted["payments"]:
            raise Killed

    with pytest.raises(Killed):
        await purge_all(database, await leased(database), KEPT, kill)
    left = await ids(database)
    assert len(left) == 3
    assert await count_of(database, "payment_events") == 3 * 3

    await change(database, "UPDATE tasks SET lease_until = 0")
    deleted = await purge(database)

    assert deleted["payments"] == 3
    assert await count_of(database, "payment_events") == 0


async def test_nothing_is_purged_where_everything_is_kept(database: Database) -> None:
    """0 days: for ever."""
    old = await succeeded(database, order_id="a")
    await age(database, old.id, 30_000)

    assert await purge_all(database, await leased(database), Kept(0, 0), lambda _: None) == Counter()
    assert await count_all(database, Kept(0, 0), lambda _: None) == Counter()
