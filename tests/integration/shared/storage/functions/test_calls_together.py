"""Calls that go together: the same rows as by statements, nobody waits for another's lock or error."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest
from payments import (
    MERCHANT,
    TERMS,
    WORKER,
    change,
    history,
    holder,
    new_payment,
    queued,
    rows,
    settle,
    submit,
    submit_by_statements,
    try_claim,
)
from races.batches import in_session_at, order_at, queued_at, with_locks_at
from races.functions import comparable, counted_round_trips, mistaken, stopped_in
from races.interleaving import finished_or_blocked, locked, open_transaction, outcome_of, running
from races.watched_connections import Sent, watched
from stored.deliveries import add_endpoint_row
from stored.lossy_database import LossyDatabase

from shared.payment.payment import Payment, Result, Settlement
from shared.payment.states import Event, State
from shared.storage.db.calls import LANES, PATIENCE_SECONDS
from shared.storage.db.engine import CommitUnknown, Database, StatementError, WakeUp
from shared.storage.db.statement import Statement
from shared.storage.functions.accept_batch import ACCEPT_BATCH
from shared.storage.functions.accept_function import CALL_ACCEPT
from shared.storage.functions.claim_batch import CLAIM_BATCH
from shared.storage.functions.settle_batch import SETTLE_BATCH
from shared.storage.payments import claims, insertion, settling
from shared.storage.payments.acceptance import accept
from shared.storage.payments.claims import Claimed, LockHeld, NotQueued, read_back
from shared.storage.payments.new_payment import Accepted, Attached
from shared.storage.payments.rows import record
from shared.storage.terminals.locks import ObservedCapabilities

_LOCK = Statement("SELECT address FROM terminal_locks WHERE address = :address FOR UPDATE")
_LOCK_PAYMENT = Statement("SELECT id FROM payments WHERE id = :id FOR UPDATE")
_OBSERVED = ObservedCapabilities(echoes='["CB"]', identify_first=False)
_RESULT = Result(paid_cents=900, error_description='no "credit"', receipt="MERCI \u20ac\n", warnings=("a",))


async def _settled(database: Database, claimed: Claimed, by: Any, event: Event) -> Payment:
    settlement = Settlement(event=event, result=_RESULT, detail={"AE": "10"})
    stored = await by(database, claimed.grant, claimed.payment, settlement, _OBSERVED)
    assert isinstance(stored, Payment)
    return stored


async def _rows_of(database: Database, number: int, ids: Sequence[str], also: str) -> list[str]:
    order = order_at(number)
    texts = [*ids, *(one[4:] for one in ids if one.startswith("pay_")), *order.values()]
    texts.sort(key=len, reverse=True)
    return await comparable(database, *texts, also=also)


async def test_claims_together_leave_the_rows_that_statements_leave(postgres_database: Database) -> None:
    """Every table is equal, ids and times aside; three cost one round trip."""
    ids = await queued_at(postgres_database, range(4))
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
    claimed = await in_session_at(postgres_database, range(4))
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
    await with_locks_at(postgres_database, range(4))
    await change(postgres_database, "DELETE FROM payment_events")
    await change(postgres_database, "DELETE FROM events")
    await change(postgres_database, "DELETE FROM payments")
    postgres_database.on_committed = wake_ups.extend
    orders: list[dict[str, Any]] = [
        {**order_at(number), "notifies_hipay": True, "warnings": ("a",)} for number in range(4)
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
    """Nothing is slower for a caller alone."""
    sent: list[Statement] = []

    async def note(one: Sent) -> None:
        sent.append(one.statement)

    with watched(postgres_database, before_statement=note):
        await submit(postgres_database)

    assert sent == [CALL_ACCEPT.alone]


async def test_no_claim_waits_behind_another_ones_lock(one: Database, two: Database) -> None:
    """The one whose terminal lock is locked goes alone and waits; the others are claimed meanwhile."""
    ids = await queued_at(one, range(3))
    async with locked(two, _LOCK, address=order_at(1)["terminal_address"]):
        claiming = [asyncio.create_task(try_claim(one, each)) for each in ids]
        await outcome_of(asyncio.gather(claiming[0], claiming[2]))
        assert await finished_or_blocked(two, claiming[1])

    assert isinstance(await outcome_of(claiming[1]), Claimed)


async def test_no_settlement_waits_behind_another_ones_lock(one: Database, two: Database) -> None:
    """Skipped is not refused: the one whose row is locked is stored afterwards, and its lock released."""
    claimed = await in_session_at(one, range(3))
    async with locked(two, _LOCK_PAYMENT, id=claimed[1].payment.id):
        settling_all = [asyncio.create_task(settle(one, each, Event.ANSWERED_DONE)) for each in claimed]
        await outcome_of(asyncio.gather(settling_all[0], settling_all[2]))
        assert await finished_or_blocked(two, settling_all[1])

    assert (await outcome_of(settling_all[1])).state is State.SUCCEEDED
    assert [await holder(one, order_at(number)["terminal_address"]) for number in range(3)] == [None] * 3


async def test_no_acceptance_waits_long_behind_another_ones_insert(one: Database, two: Database) -> None:
    """The insert waits for an attempt that is being stored; the others go alone meanwhile."""
    await with_locks_at(one, range(3))
    async with open_transaction(two) as tx:
        await insertion.insert(tx, new_payment(**order_at(1)), None)
        accepting = [asyncio.create_task(submit(one, **order_at(number))) for number in range(3)]
        found = await outcome_of(asyncio.gather(accepting[0], accepting[2]))
        assert [type(answer) for answer in found] == [Accepted] * 2
        assert await finished_or_blocked(two, accepting[1])

    assert isinstance(await outcome_of(accepting[1]), Accepted)


async def test_calls_that_hang_one_by_one_leave_a_lane_for_the_others(one: Database, two: Database) -> None:
    """Only the first one waits in its lane; each that comes beside it goes alone after a moment."""
    hanging = LANES + 1
    await with_locks_at(one, range(hanging + 1))
    async with AsyncExitStack() as stack:
        tx = await stack.enter_async_context(open_transaction(two))
        for number in range(hanging):
            await insertion.insert(tx, new_payment(**order_at(number)), None)
            accepting = await stack.enter_async_context(running(submit(one, **order_at(number))))
            await finished_or_blocked(two, accepting)
            await asyncio.sleep(2 * PATIENCE_SECONDS)

        assert isinstance(await outcome_of(submit(one, **order_at(hanging))), Accepted)


@pytest.mark.parametrize("is_mistaken", [False, True])
async def test_claims_go_together_while_a_row_is_being_stored_that_refers_to_one(
    one: Database, two: Database, is_mistaken: bool
) -> None:
    """Every such row locks what it refers to against FOR UPDATE, not against this."""
    ids = await queued_at(one, range(2))
    changes = {"FOR NO KEY UPDATE": "FOR UPDATE"} if is_mistaken else {}
    async with mistaken(one, CLAIM_BATCH, changes), open_transaction(two) as tx:
        await record(tx, ids[0], "is being stored", State.QUEUED)
        with counted_round_trips() as count:
            found = await outcome_of(asyncio.gather(*(try_claim(one, each) for each in ids)))

    assert [type(claim) for claim in found] == [Claimed] * 2
    assert (count() > 1) == is_mistaken


async def test_two_processes_with_the_same_orders_store_each_once(one: Database, two: Database) -> None:
    """In whatever order they came: neither waits for the other in a circle."""
    await with_locks_at(one, range(3))
    async with stopped_in(two, ACCEPT_BATCH, "PERFORM FROM payments mine") as stop:
        first = [asyncio.create_task(submit(one, **order_at(number))) for number in range(3)]
        await stop.reached()
        second = [asyncio.create_task(submit(two, **order_at(number))) for number in (2, 1, 0)]
        assert await finished_or_blocked(one, second[0])
        await stop.go()
        found = await outcome_of(asyncio.gather(*first, *second))

    assert [type(answer) for answer in found] == [Accepted] * 3 + [Attached] * 3


async def test_two_payments_of_one_terminal_together_get_one_session(postgres_database: Database) -> None:
    """A message that comes twice together is claimed once, too."""
    one, other = [await queued(postgres_database, order_id=name) for name in ("a", "b")]

    found = await asyncio.gather(*(try_claim(postgres_database, each) for each in (one, other, one)))

    kinds = [type(claim) for claim in found]
    assert kinds in ([Claimed, LockHeld, NotQueued], [LockHeld, Claimed, LockHeld])


async def test_a_result_that_is_stored_twice_together_is_one_settlement(postgres_database: Database) -> None:
    """A run stores its result again when its first call was lost; both may go together."""
    (claimed,) = await in_session_at(postgres_database, range(1))

    found = await asyncio.gather(
        *(settle(postgres_database, claimed, Event.ANSWERED_DONE) for _ in range(2)),
    )

    assert [stored.state for stored in found] == [State.SUCCEEDED] * 2
    events = [event for event, _ in await history(postgres_database, claimed.payment.id)]
    assert events == ["accepted", "claimed", "answered_done"]


@pytest.mark.parametrize("odd", ["zero \0", "no Unicode \ud800"])
async def test_nobody_fails_with_another_ones_row(postgres_database: Database, odd: str) -> None:
    """A text that PostgreSQL cannot store is refused to the one who sent it."""
    await with_locks_at(postgres_database, range(3))
    orders = [order_at(number) for number in range(3)]
    orders[1]["order_id"] = odd

    answers = await asyncio.gather(
        *(submit(postgres_database, **order) for order in orders), return_exceptions=True
    )

    assert [type(answer) for answer in answers] == [Accepted, StatementError, Accepted]


async def test_claims_whose_answer_is_lost_are_unknown_and_each_reads_back_its_own(
    postgres_database: Database,
) -> None:
    """By its own token, and by no other one."""
    lossy = LossyDatabase(postgres_database)
    ids = await queued_at(postgres_database, range(3))
    lossy.lost_commits = 1

    found = await asyncio.gather(*(try_claim(lossy, one, f"of {one}") for one in ids), return_exceptions=True)

    assert [type(one) for one in found] == [CommitUnknown] * 3
    for one in ids:
        mine = await read_back(lossy, one, f"of {one}")
        assert mine is not None
        assert mine.payment.id == one
    assert await read_back(lossy, ids[0], f"of {ids[1]}") is None


async def test_settlements_whose_answer_is_lost_are_stored_once(postgres_database: Database) -> None:
    """Each run stores its result again, and finds it."""
    lossy = LossyDatabase(postgres_database)
    claimed = await in_session_at(postgres_database, range(2))
    lossy.lost_commits = 1

    lost = await asyncio.gather(
        *(settle(lossy, one, Event.ANSWERED_REFUSED) for one in claimed), return_exceptions=True
    )
    found = await asyncio.gather(*(settle(lossy, one, Event.ANSWERED_REFUSED) for one in claimed))

    assert [type(one) for one in lost] == [CommitUnknown] * 2
    assert [one.state for one in found] == [State.REFUSED] * 2
    for one in claimed:
        events = [event for event, _ in await history(postgres_database, one.payment.id)]
        assert events == ["accepted", "claimed", "answered_refused"]


async def test_acceptances_whose_answer_is_lost_are_stored_once(postgres_database: Database) -> None:
    """Each request stores its payment again, and finds it as its own."""
    lossy = LossyDatabase(postgres_database)
    await with_locks_at(postgres_database, range(2))
    requests = [new_payment(**order_at(number)) for number in range(2)]
    lossy.lost_commits = 1

    lost = await asyncio.gather(*(accept(lossy, new, TERMS) for new in requests), return_exceptions=True)
    found = await asyncio.gather(*(accept(lossy, new, TERMS) for new in requests))

    assert [type(one) for one in lost] == [CommitUnknown] * 2
    assert found == [Accepted(new.id, State.QUEUED) for new in requests]
    assert len(await rows(postgres_database, "SELECT id FROM payments WHERE state = 'queued'")) == 2


async def test_a_cancelled_caller_takes_nobody_with_it(one: Database, two: Database) -> None:
    """The others' results are stored; its own may be, too, before it ends."""
    claimed = await in_session_at(one, range(3))
    before = "v_ids := ARRAY(\n        SELECT p.id"
    async with stopped_in(two, SETTLE_BATCH, before) as stop:
        tasks = [
            asyncio.create_task(_settled(one, each, settling.settle, Event.ANSWERED_DONE)) for each in claimed
        ]
        await stop.reached()
        tasks[0].cancel()
        await stop.go()
        found = await outcome_of(asyncio.gather(*tasks, return_exceptions=True))

    assert isinstance(found[0], asyncio.CancelledError)
    assert [each.state for each in found[1:] if isinstance(each, Payment)] == [State.SUCCEEDED] * 2
    assert await holder(one, order_at(0)["terminal_address"]) is None
