"""Calls that go together: the same rows as by statements, nobody waits for another's lock or error."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest
from lossy_database import LossyDatabase
from payments import (
    MERCHANT,
    WORKER,
    change,
    holder,
    in_session,
    prove,
    queued,
    settle,
    submit,
    submit_by_statements,
    try_claim,
)
from races.functions import comparable, counted_round_trips, mistaken, stopped_in
from races.interleaving import finished_or_blocked, locked, outcome_of
from races.watched_connections import Sent, watched
from waiting_deliveries import add_endpoint_row

from shared.payment.payment import Payment, Reason, Result, Settlement
from shared.payment.states import Event, State
from shared.storage.db.engine import CommitUnknown, Database, StatementError, WakeUp
from shared.storage.db.statement import Statement
from shared.storage.functions.accept_batch import ACCEPT_BATCH
from shared.storage.functions.accept_function import CALL_ACCEPT
from shared.storage.functions.claim_batch import CLAIM_BATCH
from shared.storage.functions.function import Function
from shared.storage.functions.settle_batch import SETTLE_BATCH
from shared.storage.payments import claims, settling, snapshots
from shared.storage.payments.claims import Claimed, LockHeld, NotQueued, cancel, read_back
from shared.storage.payments.new_payment import Accepted, Conflict
from shared.storage.terminals.locks import ObservedCapabilities

_LOCK = Statement("SELECT address FROM terminal_locks WHERE address = :address FOR UPDATE")
_OBSERVED = ObservedCapabilities(echoes='["CB"]', identify_first=False)
_RESULT = Result(paid_cents=900, error_description='no "credit"', receipt="MERCI \u20ac\n", warnings=("a",))


def _order(number: int) -> dict[str, Any]:
    host = f"127.0.1.{100 + number}"
    return {"order_id": f"order of {host}", "host": host, "terminal_address": f"{host}:8888"}


async def _queued(database: Database, numbers: Sequence[int]) -> list[str]:
    return [await queued(database, **_order(number)) for number in numbers]


async def _in_session(database: Database, numbers: Sequence[int]) -> list[Claimed]:
    return [await in_session(database, **_order(number), warnings=("late",)) for number in numbers]


async def _locks_made(database: Database, numbers: Sequence[int]) -> None:
    for number in numbers:
        order = {**_order(number), "order_id": f"makes the lock of {number}"}
        await cancel(database, await queued(database, **order), Reason.CALLER)


async def _settled(database: Database, claimed: Claimed, by: Any, event: Event) -> Payment:
    settlement = Settlement(event=event, result=_RESULT, detail={"AE": "10"})
    stored = await by(database, claimed.grant, claimed.payment, settlement, _OBSERVED)
    assert isinstance(stored, Payment)
    return stored


async def _rows_of(database: Database, number: int, ids: Sequence[str], also: str) -> list[str]:
    order = _order(number)
    texts = [*ids, *(one[4:] for one in ids if one.startswith("pay_")), *order.values()]
    texts.sort(key=len, reverse=True)
    return await comparable(database, *texts, also=also)


async def test_claims_together_leave_the_rows_that_statements_leave(postgres_database: Database) -> None:
    """Every table is equal, ids and times aside; three cost one round trip."""
    ids = await _queued(postgres_database, range(4))
    with counted_round_trips() as count:
        found = await asyncio.gather(*(try_claim(postgres_database, one, f"of {one}") for one in ids[:3]))
    assert count() == 1
    found.append(
        await claims._claim_by_statements(
            postgres_database, ids[3], worker=WORKER, token=f"of {ids[3]}", lease_seconds=335
        )
    )

    left = [
        await _rows_of(postgres_database, number, [payment_id], repr(claimed))
        for number, (payment_id, claimed) in enumerate(zip(ids, found, strict=True))
    ]
    assert left[:3] == [left[3]] * 3


@pytest.mark.parametrize("event", [Event.ANSWERED_DONE, Event.ANSWERED_REFUSED])
async def test_settlements_together_leave_the_rows_that_statements_leave(
    postgres_database: Database, event: Event
) -> None:
    """Events, deliveries and wake-ups, too; three cost one round trip."""
    wake_ups: list[WakeUp] = []
    postgres_database.on_committed = wake_ups.extend
    await add_endpoint_row(postgres_database, MERCHANT)
    claimed = await _in_session(postgres_database, range(4))
    with counted_round_trips() as count:
        found = await asyncio.gather(
            *(_settled(postgres_database, one, settling.settle, event) for one in claimed[:3])
        )
    assert count() == 1
    found.append(await _settled(postgres_database, claimed[3], settling._settle_by_statements, event))

    left = [
        await _rows_of(postgres_database, number, [one.payment.id, one.grant.token], f"{stored} {wake_up}")
        for number, (one, stored, wake_up) in enumerate(zip(claimed, found, wake_ups, strict=True))
    ]
    assert left[:3] == [left[3]] * 3


async def test_acceptances_together_leave_the_rows_that_statements_leave(postgres_database: Database) -> None:
    """The order notifications and wake-ups, too; three cost one round trip."""
    wake_ups: list[WakeUp] = []
    await _locks_made(postgres_database, range(4))
    await change(postgres_database, "DELETE FROM payment_events")
    await change(postgres_database, "DELETE FROM events")
    await change(postgres_database, "DELETE FROM payments")
    postgres_database.on_committed = wake_ups.extend
    orders: list[dict[str, Any]] = [
        {**_order(number), "notifies_hipay": True, "warnings": ("a",)} for number in range(4)
    ]
    with counted_round_trips() as count:
        found = await asyncio.gather(*(submit(postgres_database, **order) for order in orders[:3]))
    assert count() == 1
    found.append(await submit_by_statements(postgres_database, **orders[3]))

    left = []
    for number, (accepted, wake_up) in enumerate(zip(found, wake_ups, strict=True)):
        assert isinstance(accepted, Accepted)
        left.append(await _rows_of(postgres_database, number, [accepted.payment_id], f"{accepted} {wake_up}"))
    assert left[:3] == [left[3]] * 3


async def test_one_call_goes_alone_by_the_function_for_one(postgres_database: Database) -> None:
    """Where nobody else calls, nothing is slower."""
    sent: list[Statement] = []

    async def note(one: Sent) -> None:
        sent.append(one.statement)

    with watched(postgres_database, before_statement=note):
        await submit(postgres_database)

    assert sent == [CALL_ACCEPT.alone]


async def test_nobody_waits_behind_another_ones_lock(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """The one whose terminal lock is locked goes alone and waits; the others are claimed meanwhile."""
    ids = await _queued(postgres_database, range(3))
    async with locked(second_postgres_database, _LOCK, address=_order(1)["terminal_address"]):
        claiming = [asyncio.create_task(try_claim(postgres_database, one)) for one in ids]
        await outcome_of(asyncio.gather(claiming[0], claiming[2]))
        assert await finished_or_blocked(second_postgres_database, claiming[1])

    assert isinstance(await outcome_of(claiming[1]), Claimed)


async def test_two_payments_of_one_terminal_together_get_one_session(postgres_database: Database) -> None:
    """And a message that comes twice together is claimed once."""
    one, other = [await queued(postgres_database, order_id=name) for name in ("a", "b")]

    found = await asyncio.gather(*(try_claim(postgres_database, each) for each in (one, other, one)))

    kinds = [type(claim) for claim in found]
    assert kinds in ([Claimed, LockHeld, NotQueued], [LockHeld, Claimed, LockHeld])


async def test_nobody_fails_with_another_ones_row(postgres_database: Database) -> None:
    """A text that PostgreSQL cannot store is refused to the one who sent it."""
    await _locks_made(postgres_database, range(3))
    orders = [_order(number) for number in range(3)]
    orders[1]["order_id"] = "zero \0"

    answers = await asyncio.gather(
        *(submit(postgres_database, **order) for order in orders), return_exceptions=True
    )

    assert [type(answer) for answer in answers] == [Accepted, StatementError, Accepted]


async def test_a_lost_answer_is_unknown_to_all_and_each_reads_back_its_own(
    postgres_database: Database,
) -> None:
    """By its own token, and by no other one."""
    lossy = LossyDatabase(postgres_database)
    ids = await _queued(postgres_database, range(3))
    lossy.lost_commits = 1

    found = await asyncio.gather(*(try_claim(lossy, one, f"of {one}") for one in ids), return_exceptions=True)

    assert [type(one) for one in found] == [CommitUnknown] * 3
    for one in ids:
        mine = await read_back(lossy, one, f"of {one}")
        assert mine is not None
        assert mine.payment.id == one
    assert await read_back(lossy, ids[0], f"of {ids[1]}") is None


async def test_a_cancelled_caller_takes_nobody_with_it(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """The others' results are stored; its own may be, too."""
    claimed = await _in_session(postgres_database, range(3))
    before = "v_ids := ARRAY(\n        SELECT p.id"
    async with stopped_in(second_postgres_database, SETTLE_BATCH, before) as stop:
        tasks = [
            asyncio.create_task(_settled(postgres_database, one, settling.settle, Event.ANSWERED_DONE))
            for one in claimed
        ]
        await stop.reached()
        tasks[0].cancel()
        await stop.go()
        found = await outcome_of(asyncio.gather(*tasks, return_exceptions=True))

    assert isinstance(found[0], asyncio.CancelledError)
    assert [one.state for one in found[1:] if isinstance(one, Payment)] == [State.SUCCEEDED] * 2


# Between the statements of the functions


async def cancelled_meanwhile(one: Database, two: Database) -> list[str]:
    """A client cancels its payment after the claim has locked its terminal."""
    ids = await _queued(one, range(2))
    async with stopped_in(two, CLAIM_BATCH, "v_ids := ARRAY") as stop:
        claiming = [asyncio.create_task(try_claim(one, each)) for each in ids]
        await stop.reached()
        await cancel(two, ids[0], Reason.CALLER)
        await stop.go()
        found = await outcome_of(asyncio.gather(*claiming))
    held_by = await holder(one, _order(0)["terminal_address"])
    is_in_order = isinstance(found[0], NotQueued) and isinstance(found[1], Claimed) and held_by is None
    return [] if is_in_order else [f"claimed after its end: {found}, {held_by}"]


async def proof_meanwhile(one: Database, two: Database) -> list[str]:
    """A success is proved before the refusals have their payments' rows."""
    claimed = await _in_session(one, range(2))
    async with stopped_in(two, SETTLE_BATCH, "v_ids := ARRAY(\n        SELECT p.id") as stop:
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
    await _locks_made(one, range(2))
    orders = [_order(number) for number in range(2)]
    patient = mistaken(two, ACCEPT_BATCH, {"SET lock_timeout TO '20ms'": "SET lock_timeout TO '10s'"})
    async with patient, stopped_in(two, ACCEPT_BATCH, "WITH inserted AS") as stop:
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


async def one_order_twice_together(one: Database, _: Database) -> list[str]:
    """An order and the same one again go together."""
    await _locks_made(one, range(2))
    found = await asyncio.gather(*(submit(one, **_order(number)) for number in (0, 0, 1)))
    kinds = sorted(type(answer).__name__ for answer in found)
    return [] if kinds == ["Accepted", "Accepted", "Attached"] else [f"one order is charged twice: {kinds}"]


RACES: dict[str, tuple[Callable[[Database, Database], Awaitable[list[str]]], Function, Mapping[str, str]]] = {
    "cancelled meanwhile": (
        cancelled_meanwhile,
        CLAIM_BATCH,
        {
            "AND state = 'queued' AND deadline_at": "AND deadline_at",
            "WHERE p.id = g.id AND p.state = 'queued'": "WHERE p.id = g.id",
        },
    ),
    "a proof meanwhile": (
        proof_meanwhile,
        SETTLE_BATCH,
        {"AND e.proves IS NOT NULL": "AND false"},
    ),
    "an order locked meanwhile": (
        order_locked_meanwhile,
        ACCEPT_BATCH,
        {"AND other.id <> mine.id": "AND false"},
    ),
    "one order twice together": (
        one_order_twice_together,
        ACCEPT_BATCH,
        {
            "SELECT DISTINCT ON (c.merchant_id, c.operation_key) c.id": "SELECT c.id",
            "'debit', c.operation_key, c.operation_key": "'debit', c.operation_key, NULL",
            "AND other.id <> mine.id": "AND false",
        },
    ),
}


@pytest.mark.parametrize("name", RACES)
async def test_calls_together_are_in_order_between_the_statements_of_their_function(
    postgres_database: Database, second_postgres_database: Database, name: str
) -> None:
    """The product as it is does nothing wrong in any of them."""
    scenario, _, _ = RACES[name]

    assert await scenario(postgres_database, second_postgres_database) == []


@pytest.mark.parametrize("name", RACES)
async def test_a_mistake_in_a_function_for_several_is_seen(
    postgres_database: Database, second_postgres_database: Database, name: str
) -> None:
    """The scenario is worth nothing where it cannot see the mistake that it is for."""
    scenario, function, changes = RACES[name]

    async with mistaken(postgres_database, function, changes):
        wrongs = await scenario(postgres_database, second_postgres_database)

    assert wrongs != []
