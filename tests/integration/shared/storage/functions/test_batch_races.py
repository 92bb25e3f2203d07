"""Calls that go together, and what happens between the statements of their functions.

Each scenario returns what went wrong, and is run with a deliberate mistake as well, which it has to see.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import pytest
from payments import (
    holder,
    next_payment,
    prove,
    queued,
    settle,
    submit,
    submit_by_statements,
    taken_over,
    try_claim,
)
from races.batches import in_session_at, order_at, queued_at, with_locks_at
from races.functions import mistaken, stopped_in
from races.interleaving import finished_or_blocked, outcome_of

from shared.payment.payment import Reason
from shared.payment.states import Event
from shared.storage.db.engine import Database
from shared.storage.functions.accept_batch import ACCEPT_BATCH
from shared.storage.functions.claim_batch import CLAIM_BATCH
from shared.storage.functions.function import Function
from shared.storage.functions.settle_batch import SETTLE_BATCH
from shared.storage.payments import snapshots
from shared.storage.payments.claims import Claimed, NotQueued, cancel
from shared.storage.payments.new_payment import Accepted, Conflict

#: Statements of the functions before which they are stopped.
_PAYMENTS_OF_CLAIMS = "v_ids := ARRAY"
_LOCKS_OF_RESULTS = "v_addresses := ARRAY"
_PAYMENTS_OF_RESULTS = "v_ids := ARRAY(\n        SELECT p.id"
_LAST_OF_RESULTS = "RETURN QUERY"
_INSERTS = "WITH inserted AS"


async def cancelled_meanwhile(one: Database, two: Database) -> list[str]:
    """A client cancels its payment after the claim has locked its terminal."""
    ids = await queued_at(one, range(2))
    async with stopped_in(two, CLAIM_BATCH, _PAYMENTS_OF_CLAIMS) as stop:
        claiming = [asyncio.create_task(try_claim(one, each)) for each in ids]
        await stop.reached()
        await cancel(two, ids[0], Reason.CALLER)
        await stop.go()
        found = await outcome_of(asyncio.gather(*claiming))
    held_by = await holder(one, order_at(0)["terminal_address"])
    is_in_order = isinstance(found[0], NotQueued) and isinstance(found[1], Claimed) and held_by is None
    return [] if is_in_order else [f"claimed after its end: {found}, {held_by}"]


async def proof_meanwhile(one: Database, two: Database) -> list[str]:
    """A success is proved before the refusals have their payments' rows."""
    claimed = await in_session_at(one, range(2))
    async with stopped_in(two, SETTLE_BATCH, _PAYMENTS_OF_RESULTS) as stop:
        tasks = [asyncio.create_task(settle(one, each, Event.ANSWERED_REFUSED)) for each in claimed]
        await stop.reached()
        await prove(two, claimed[0].payment.id, Event.PROVED_DONE)
        await stop.go()
        await outcome_of(asyncio.gather(*tasks))
    found = [await snapshots.payment(one, each.payment.id) for each in claimed]
    contradicted = [each.contradicted for each in found if each is not None]
    return [] if contradicted == [True, False] else [f"a proof is lost: {contradicted}"]


async def order_locked_meanwhile(one: Database, two: Database) -> list[str]:
    """Before the inserts another attempt of one order runs, fails and gets conflicting evidence."""
    await with_locks_at(one, range(2))
    orders = [order_at(number) for number in range(2)]
    async with stopped_in(two, ACCEPT_BATCH, _INSERTS) as stop:
        tasks = [asyncio.create_task(submit(one, **order)) for order in orders]
        await stop.reached()
        other = await submit_by_statements(two, **orders[0])
        assert isinstance(other, Accepted)
        claimed = await try_claim(two, other.payment_id)
        await settle(two, claimed, Event.ANSWERED_REFUSED)
        await prove(two, other.payment_id, Event.PROVED_DONE)
        await stop.go()
        found = await outcome_of(asyncio.gather(*tasks))
    is_in_order = isinstance(found[0], Conflict) and isinstance(found[1], Accepted)
    return [] if is_in_order else [f"accepted, and its order is locked: {found}"]


async def taken_over_meanwhile(one: Database, two: Database) -> list[str]:
    """Another worker takes one of the terminal locks over before the results have them."""
    claimed = await in_session_at(one, range(2))
    async with stopped_in(two, SETTLE_BATCH, _LOCKS_OF_RESULTS) as stop:
        tasks = [asyncio.create_task(settle(one, each, Event.ANSWERED_DONE)) for each in claimed]
        await stop.reached()
        await taken_over(two, claimed[0].grant)
        await stop.go()
        await outcome_of(asyncio.gather(*tasks))
    held = [await holder(one, each.grant.address) for each in claimed]
    return [] if held == [claimed[0].payment.id, None] else [f"another worker's lock is released: {held}"]


async def next_payment_meanwhile(one: Database, two: Database) -> list[str]:
    """A payment finds the lock held just before its release."""
    claimed = await in_session_at(one, range(2))
    async with stopped_in(two, SETTLE_BATCH, _LAST_OF_RESULTS) as stop:
        tasks = [asyncio.create_task(settle(one, each, Event.ANSWERED_DONE)) for each in claimed]
        await stop.reached()
        second = await queued(two, **{**order_at(0), "order_id": "next"})
        claiming = asyncio.create_task(try_claim(two, second))
        await finished_or_blocked(two, claiming)
        await stop.go()
        await outcome_of(asyncio.gather(*tasks))
    if isinstance(await outcome_of(claiming), Claimed):
        return []
    found = await next_payment(one, claimed[0].grant.address)
    is_found = found is not None and found.payment_id == second
    return [] if is_found else [f"the next payment waits for the sweep: {found}"]


async def held_already(one: Database, _: Database) -> list[str]:
    """A terminal is in session when its next payment goes together with another one's."""
    await in_session_at(one, range(1))
    ids = [await queued(one, **{**order_at(0), "order_id": "next"}), *await queued_at(one, [1])]
    found = await outcome_of(asyncio.gather(*(try_claim(one, each) for each in ids)))
    kinds = [type(claim).__name__ for claim in found]
    return [] if kinds == ["LockHeld", "Claimed"] else [f"two sessions of a terminal: {kinds}"]


async def one_order_twice_together(one: Database, _: Database) -> list[str]:
    """An order and the same one again go together."""
    await with_locks_at(one, range(2))
    found = await asyncio.gather(*(submit(one, **order_at(number)) for number in (0, 0, 1)))
    kinds = sorted(type(answer).__name__ for answer in found)
    return [] if kinds == ["Accepted", "Accepted", "Attached"] else [f"one order is charged twice: {kinds}"]


#: A scenario, its function, and mistakes in that: each is seen on its own.
RACES: dict[
    str, tuple[Callable[[Database, Database], Awaitable[list[str]]], Function, Sequence[Mapping[str, str]]]
] = {
    "cancelled meanwhile": (
        cancelled_meanwhile,
        CLAIM_BATCH,
        [
            {
                "AND p.state || '' = 'queued' AND p.deadline_at": "AND p.deadline_at",
                "WHERE p.id = g.id AND p.state || '' = 'queued'": "WHERE p.id = g.id",
            }
        ],
    ),
    "held already": (
        held_already,
        CLAIM_BATCH,
        [{"AND held_by IS NULL": "", "AND l.held_by IS NULL": ""}],
    ),
    "a proof meanwhile": (
        proof_meanwhile,
        SETTLE_BATCH,
        [
            {"AND e.proves IS NOT NULL": "AND false"},
            # Read before the rows are locked.
            {
                "v_ids text[];": "v_ids text[]; v_early text[];",
                "v_addresses := ARRAY": "v_early := ARRAY(SELECT payment_id FROM evidence);"
                " v_addresses := ARRAY",
                "AND e.proves IS NOT NULL": "AND e.payment_id = ANY(v_early)",
            },
        ],
    ),
    "taken over meanwhile": (
        taken_over_meanwhile,
        SETTLE_BATCH,
        [{"AND l.epoch = c.epoch AND l.claim = c.token": ""}],
    ),
    "a next payment meanwhile": (next_payment_meanwhile, SETTLE_BATCH, []),
    "an order locked meanwhile": (
        order_locked_meanwhile,
        ACCEPT_BATCH,
        [{"AND other.id <> mine.id": "AND false"}],
    ),
    "one order twice together": (
        one_order_twice_together,
        ACCEPT_BATCH,
        [
            {
                "SELECT DISTINCT ON (c.merchant_id, c.operation_key) c.id": "SELECT c.id",
                "'debit', c.operation_key, c.operation_key": "'debit', c.operation_key, NULL",
                "AND other.id <> mine.id": "AND false",
            }
        ],
    ),
}
MISTAKES = [(name, number) for name, (_, _, mistakes) in RACES.items() for number in range(len(mistakes))]


@pytest.mark.parametrize("name", RACES)
async def test_calls_together_are_in_order_between_the_statements_of_their_function(
    postgres_database: Database, second_postgres_database: Database, name: str
) -> None:
    """The product as it is does nothing wrong in any of them."""
    scenario, _, _ = RACES[name]

    assert await scenario(postgres_database, second_postgres_database) == []


@pytest.mark.parametrize(("name", "number"), MISTAKES)
async def test_a_mistake_in_a_function_for_several_is_seen(
    postgres_database: Database, second_postgres_database: Database, name: str, number: int
) -> None:
    """The scenario is worth nothing where it cannot see the mistake that it is for."""
    scenario, function, mistakes = RACES[name]

    async with mistaken(postgres_database, function, mistakes[number]):
        wrongs = await scenario(postgres_database, second_postgres_database)

    assert wrongs != []
