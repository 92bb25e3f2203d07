"""The settlement by its function: the same rows as by statements, and safe between its statements, too.

It is stopped between them, or a second connection holds a row that it waits for. Each scenario returns what
went wrong, and is run with a deliberate mistake as well, which it has to see.
"""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any

import pytest
from in_memory.stored_payments import FULL_RESULT
from payments import (
    ADDRESS,
    MERCHANT,
    history,
    holder,
    in_session,
    prove,
    refused,
    rows,
    succeeded,
    taken_over,
)
from races.functions import comparable, counted_round_trips, mistaken, stopped_in
from races.interleaving import finished_or_blocked, locked, outcome_of, paused_before_commit, running
from stored.deliveries import add_endpoint_row

from shared.notification.events import event_body
from shared.payment.payment import Operation, Payment, Reason, Result, Settlement
from shared.payment.states import Event, State
from shared.storage.db.engine import Database, WakeUp
from shared.storage.db.statement import Statement
from shared.storage.functions.settle_function import SETTLE
from shared.storage.payments import settling, snapshots
from shared.storage.payments.claims import Claimed
from shared.storage.payments.rows import json_text
from shared.storage.terminals.locks import ObservedCapabilities

#: Texts that a function could take apart.
FULL = replace(FULL_RESULT, error_description='no "credit"', receipt="CARTE BANCAIRE\nMERCI \u20ac")
SETTLEMENTS = [
    Settlement(event=Event.ANSWERED_DONE, result=FULL, detail={"AE": "10", "\u00e9": None}),
    Settlement(event=Event.ANSWERED_DONE),
    Settlement(event=Event.ANSWERED_REFUSED, result=FULL),
    Settlement(event=Event.ANSWERED_ABORTED, result=Result(error_code="08")),
    Settlement(event=Event.ANSWERED_BUSY, reason=Reason.BUSY),
    Settlement(event=Event.NOT_SENT, reason=Reason.NO_CONNECTION, detail={"tries": 3}),
]
OBSERVED = ObservedCapabilities(echoes='["CB"]', identify_first=False)

_LOCK = Statement("SELECT address FROM terminal_locks WHERE address = :address FOR UPDATE")


#: Statements of the function before which it is stopped.
_UPDATE = "UPDATE payments SET state = p_state"
_CHECK = """PERFORM id FROM evidence WHERE payment_id = p_payment_id AND proves IS NOT NULL;
    IF FOUND THEN
        RAISE EXCEPTION 'there is an earlier proof' USING ERRCODE = 'CT001';
    END IF;"""
_LOCK_UNSEEN = {"AND epoch = p_epoch AND claim = p_token": ""}


async def _refuse(database: Database, claimed: Claimed) -> Payment:
    settlement = Settlement(event=Event.ANSWERED_REFUSED)
    return await settling.settle(database, claimed.grant, claimed.payment, settlement, ObservedCapabilities())


async def _refuse_stopped(
    one: Database, two: Database, claimed: Claimed, before: str, meanwhile: Coroutine[Any, Any, object]
) -> Payment:
    """Refuse a payment; do something while the function stands before one of its statements."""
    async with stopped_in(two, SETTLE, before) as stop, running(_refuse(one, claimed)) as refusing:
        await stop.reached()
        async with running(meanwhile) as other:
            await finished_or_blocked(two, other)
            await stop.go()
            stored = await outcome_of(refusing)
            await outcome_of(other)
    return stored


async def proof_meanwhile(one: Database, two: Database) -> list[str]:
    """A success is proved before the refusal has the payment's row."""
    claimed = await in_session(one)
    payment_id = claimed.payment.id
    await _refuse_stopped(one, two, claimed, _UPDATE, prove(two, payment_id, Event.PROVED_DONE))
    stored = await snapshots.payment(one, payment_id)
    assert stored is not None
    found = (stored.state, stored.contradicted)
    return [] if found == (State.REFUSED, True) else [f"a proof is lost: {found}"]


async def order_locked_meanwhile(one: Database, two: Database) -> list[str]:
    """The order is locked for review, because its earlier attempt was a success."""
    earlier = await refused(one)
    claimed = await in_session(one)
    await _refuse_stopped(one, two, claimed, _UPDATE, prove(two, earlier.id, Event.PROVED_DONE))
    (row,) = await rows(one, "SELECT body FROM events WHERE payment_id = :id", id=claimed.payment.id)
    return ["safe to retry, and its order was charged"] if json.loads(row.body)["safe_to_retry"] else []


async def taken_over_meanwhile(one: Database, two: Database) -> list[str]:
    """Another worker takes the terminal lock over while the settlement waits for it."""
    claimed = await in_session(one)
    with paused_before_commit(two) as pause:
        async with running(taken_over(two, claimed.grant)) as takeover:
            await pause.reached()
            async with running(_refuse(one, claimed)) as refusing:
                assert await finished_or_blocked(one, refusing)
                pause.go()
                await outcome_of(takeover)
                await outcome_of(refusing)
    return [] if await holder(one) == claimed.payment.id else ["another worker's lock is released"]


async def settled_twice_at_once(one: Database, two: Database) -> list[str]:
    """A call whose connection was lost is still waiting when the run stores its result again."""
    claimed = await in_session(one)
    async with locked(two, _LOCK, address=ADDRESS):
        both = [asyncio.create_task(_refuse(each, claimed)) for each in (one, two)]
        assert await finished_or_blocked(two, both[1])
    await outcome_of(asyncio.gather(*both))
    events = [event for event, _ in await history(one, claimed.payment.id)]
    return [] if events == ["accepted", "claimed", "answered_refused"] else [f"stored twice: {events}"]


RACES: dict[str, tuple[Callable[[Database, Database], Awaitable[list[str]]], Mapping[str, str]]] = {
    "a proof meanwhile": (proof_meanwhile, {_CHECK: ""}),
    "proofs read too early": (
        proof_meanwhile,
        {_CHECK: "", "IF p_debit_id IS NOT NULL THEN": f"{_CHECK} IF p_debit_id IS NOT NULL THEN"},
    ),
    "order locked meanwhile": (
        order_locked_meanwhile,
        {"AND NOT contradicted AND NOT key_closed": ""},
    ),
    "taken over meanwhile": (taken_over_meanwhile, _LOCK_UNSEEN),
    "settled twice at once": (
        settled_twice_at_once,
        {**_LOCK_UNSEEN, "AND state = 'in_session' AND epoch = p_epoch": ""},
    ),
}


@pytest.mark.parametrize("name", RACES)
async def test_a_settlement_is_in_order_between_the_statements_of_its_function(
    postgres_database: Database, second_postgres_database: Database, name: str
) -> None:
    """The product as it is does nothing wrong in any of them."""
    scenario, _ = RACES[name]

    assert await scenario(postgres_database, second_postgres_database) == []


@pytest.mark.parametrize("name", RACES)
async def test_a_mistake_in_the_function_of_the_settlement_is_seen(
    postgres_database: Database, second_postgres_database: Database, name: str
) -> None:
    """The scenario is worth nothing where it cannot see the mistake that it is for."""
    scenario, changes = RACES[name]

    async with mistaken(postgres_database, SETTLE, changes):
        wrongs = await scenario(postgres_database, second_postgres_database)

    assert wrongs != []


@pytest.mark.parametrize("operation", Operation)
async def test_a_settlement_by_the_function_leaves_the_rows_that_statements_leave(
    postgres_database: Database, operation: Operation
) -> None:
    """Every table is equal, ids and times aside; so are the payment that the run gets and the wake-ups."""
    wake_ups: list[WakeUp] = []
    postgres_database.on_committed = wake_ups.extend
    endpoint_id = await add_endpoint_row(postgres_database, MERCHANT)

    async def rows_of(settle: Any, settlement: Settlement) -> list[str]:
        host = f"127.0.1.{next(numbers)}"
        order: dict[str, Any] = {
            "order_id": f"order of {host}",
            "host": host,
            "terminal_address": f"{host}:1",
        }
        if operation is not Operation.DEBIT:
            await succeeded(postgres_database, **order)
        order |= {"operation": operation, "warnings": ("late",), "webhook_endpoint_id": endpoint_id}
        claimed = await in_session(postgres_database, **order)
        wake_ups.clear()
        settled = await settle(postgres_database, claimed.grant, claimed.payment, settlement, OBSERVED)
        assert len(wake_ups) == 1
        ids = [claimed.payment.id, settled.debit_id or claimed.payment.id]
        texts = [*ids, *(one[4:] for one in ids), order["order_id"], order["terminal_address"], host]
        return await comparable(postgres_database, *texts, claimed.grant.token, also=f"{settled} {wake_ups}")

    numbers = itertools.count(100)
    for settlement in SETTLEMENTS:
        by_function = await rows_of(settling.settle, settlement)
        assert by_function == await rows_of(settling._settle_by_statements, settlement)


async def test_the_events_body_is_the_payments_whatever_texts_are_in_it(postgres_database: Database) -> None:
    """The time of the end is written where it belongs, and nowhere into a text."""
    odd = '","ended_at":"","timestamp":0 \\ %s {now} $1 :x \u20ac\n\u2028'
    claimed = await in_session(postgres_database, order_id=odd)
    settlement = Settlement(event=Event.ANSWERED_DONE, result=Result(paid_cents=1, receipt=odd))

    stored = await settling.settle(
        postgres_database, claimed.grant, claimed.payment, settlement, ObservedCapabilities()
    )

    (row,) = await rows(postgres_database, "SELECT body FROM events WHERE payment_id = :id", id=stored.id)
    assert row.body == json_text(event_body(stored))
    assert stored.ended_at is not None


async def test_a_usual_settlement_is_one_round_trip(postgres_database: Database) -> None:
    """Lock, payment, history, event and deliveries cost none of their own."""
    await add_endpoint_row(postgres_database, MERCHANT)
    claimed = await in_session(postgres_database)

    with counted_round_trips() as count:
        assert (await _refuse(postgres_database, claimed)).state is State.REFUSED

    assert count() == 1
