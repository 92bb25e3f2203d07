"""The claim by its function: the same rows as by statements, and safe between its statements, too.

A second connection holds the row of the terminal lock, so that the function stops at its first statement.
Each scenario returns what went wrong, and is run with a deliberate mistake as well, which it has to see.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from payments import ADDRESS, change, history, holder, queued, rows, try_claim
from races.functions import comparable, counted_round_trips, mistaken
from races.interleaving import eventually, finished_or_blocked, locked, outcome_of

from shared.payment.payment import Reason
from shared.storage.db.engine import CommitUnknown, Database
from shared.storage.db.statement import Statement
from shared.storage.functions.claim_function import CLAIM
from shared.storage.payments import claims
from shared.storage.payments.claims import Claimed, DeadlinePassed, LockHeld, NotQueued, cancel

_LOCK = Statement("SELECT address FROM terminal_locks WHERE address = :address FOR UPDATE")
_END_WAITING = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)

#: Without the error, the function returns nothing and keeps what it did.
_NO_ERROR = {"RAISE EXCEPTION 'not queued any more' USING ERRCODE = 'CT001'": "RETURN"}
_LOCK_NOT_LOOKED_AT = {"AND held_by IS NULL": ""}
_NOTHING_LOOKED_AT = {**_LOCK_NOT_LOOKED_AT, "AND state = 'queued' AND deadline_at": "AND deadline_at"}
_DEADLINE_NOT_LOOKED_AT = {"OR claimed.deadline_at <=": "OR 0 >", "AND deadline_at >": "AND 1 <"}


async def _claim_while_it_waits(
    one: Database, two: Database, payment_id: str, meanwhile: Awaitable[object]
) -> Any:
    """Claim a payment, and do something while the function waits for the terminal lock's row."""
    async with locked(two, _LOCK, address=ADDRESS):
        claiming = asyncio.create_task(try_claim(one, payment_id))
        assert await finished_or_blocked(two, claiming)
        await meanwhile
    return await outcome_of(claiming)


async def cancelled_meanwhile(one: Database, two: Database) -> list[str]:
    """A client cancels its payment while the claim waits."""
    payment_id = await queued(one)
    found = await _claim_while_it_waits(one, two, payment_id, cancel(two, payment_id, Reason.CALLER))
    if not isinstance(found, NotQueued):
        return [f"claimed after its end: {found}"]
    return [] if await holder(one) is None else ["the terminal stays locked"]


async def too_late_meanwhile(one: Database, two: Database) -> list[str]:
    """The deadline passes while the claim waits."""
    payment_id = await queued(one)
    passed = change(two, "UPDATE payments SET deadline_at = 1 WHERE id = :id", id=payment_id)
    found = await _claim_while_it_waits(one, two, payment_id, passed)
    if not isinstance(found, DeadlinePassed):
        return [f"claimed past its deadline: {found}"]
    return [] if await holder(one) is None else ["the terminal stays locked"]


async def two_payments_at_once(one: Database, two: Database) -> list[str]:
    """Two payments of one terminal are claimed at once."""
    first, second = await queued(one, order_id="order-1"), await queued(one, order_id="order-2")
    kinds = await _claimed_at_once(one, two, first, second)
    return [] if kinds == ["Claimed", "LockHeld"] else [f"two sessions on one terminal: {kinds}"]


async def one_payment_twice_at_once(one: Database, two: Database) -> list[str]:
    """Two deliveries of one message are claimed at once."""
    payment_id = await queued(one)
    kinds = await _claimed_at_once(one, two, payment_id, payment_id)
    claims_stored = [event for event, _ in await history(one, payment_id)].count("claimed")
    return [] if (kinds, claims_stored) == (["Claimed", "NotQueued"], 1) else [f"claimed twice: {kinds}"]


async def _claimed_at_once(one: Database, two: Database, first: str, second: str) -> list[str]:
    async def both_wait() -> bool:
        (row,) = await rows(
            two,
            "SELECT count(*) AS waiting FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        return bool(row.waiting == 2)

    async with locked(two, _LOCK, address=ADDRESS):
        # By two processes: one would have them go together.
        tasks = [asyncio.create_task(try_claim(*each)) for each in ((one, first), (two, second))]
        await eventually(both_wait)
    return sorted(type(found).__name__ for found in await outcome_of(asyncio.gather(*tasks)))


RACES = {
    "cancelled meanwhile": (cancelled_meanwhile, _NO_ERROR),
    "too late meanwhile": (too_late_meanwhile, _DEADLINE_NOT_LOOKED_AT),
    "two payments at once": (two_payments_at_once, _LOCK_NOT_LOOKED_AT),
    "one payment twice at once": (one_payment_twice_at_once, _NOTHING_LOOKED_AT),
}


@pytest.mark.parametrize("name", RACES)
async def test_a_claim_is_in_order_between_the_statements_of_its_function(
    postgres_database: Database, second_postgres_database: Database, name: str
) -> None:
    """The product as it is does nothing wrong in any of them."""
    scenario, _ = RACES[name]

    assert await scenario(postgres_database, second_postgres_database) == []


@pytest.mark.parametrize("name", RACES)
async def test_a_mistake_in_the_function_of_the_claim_is_seen(
    postgres_database: Database, second_postgres_database: Database, name: str
) -> None:
    """The scenario is worth nothing where it cannot see the mistake that it is for."""
    scenario, changes = RACES[name]

    async with mistaken(postgres_database, CLAIM, changes):
        wrongs = await scenario(postgres_database, second_postgres_database)

    assert wrongs != []


async def test_a_claim_by_the_function_leaves_the_rows_that_statements_leave(
    postgres_database: Database,
) -> None:
    """Every table is equal, ids and times aside; so is the claim that the run gets."""
    worker = 'wörker "1"\\\n'
    found = {}
    for number, claim in enumerate((claims.claim, claims._claim_by_statements)):
        host = f"127.0.1.{number}"
        order = {"order_id": f"order-{number}", "terminal_address": f"{host}:8888", "host": host}
        payment_id = await queued(postgres_database, **order)
        claimed = await claim(postgres_database, payment_id, worker=worker, token="token", lease_seconds=335)
        assert isinstance(claimed, Claimed)
        found[payment_id] = (
            order,
            repr((claimed.payment, claimed.grant, claimed.profile, claimed.traceparent)),
        )

    by_function, by_statements = [
        await comparable(postgres_database, payment_id, *order.values(), also=text)
        for payment_id, (order, text) in found.items()
    ]
    assert by_function == by_statements


async def test_a_usual_claim_is_one_round_trip(postgres_database: Database) -> None:
    """Neither the terminal lock nor the history costs one, nor a transaction's begin and end."""
    payment_id = await queued(postgres_database)

    with counted_round_trips() as count:
        assert isinstance(await try_claim(postgres_database, payment_id), Claimed)

    assert count() == 1


async def test_a_claim_of_a_held_lock_changes_nothing(postgres_database: Database) -> None:
    """The function leaves it to the statements, which say why."""
    first = await queued(postgres_database, order_id="order-1")
    second = await queued(postgres_database, order_id="order-2")
    assert isinstance(await try_claim(postgres_database, first), Claimed)

    assert isinstance(await try_claim(postgres_database, second), LockHeld)
    assert await holder(postgres_database) == first


async def test_a_claim_whose_connection_ends_while_it_waits_is_unknown_and_read_back_as_nothing(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """The call commits with its answer, so only the terminal lock says that nothing was stored."""
    payment_id = await queued(postgres_database)
    async with locked(second_postgres_database, _LOCK, address=ADDRESS):
        claiming = asyncio.create_task(try_claim(postgres_database, payment_id, "token-a"))
        assert await finished_or_blocked(second_postgres_database, claiming)
        await rows(second_postgres_database, _END_WAITING)
        with pytest.raises(CommitUnknown):
            await outcome_of(claiming)

    assert await claims.read_back(postgres_database, payment_id, "token-a") is None
    assert await holder(postgres_database) is None
