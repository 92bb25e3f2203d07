"""The acceptance by its function: the same rows as by statements, and safe between its statements, too.

Each scenario returns what went wrong, and is run with a deliberate mistake as well, which it has to see.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from payments import (
    TERMS,
    in_doubt,
    new_payment,
    prove,
    queued,
    rows,
    settle,
    submit,
    submit_by_statements,
    try_claim,
)
from races.functions import comparable, counted_round_trips, mistaken, stopped_in
from races.interleaving import finished_or_blocked, outcome_of, running

from shared.payment.states import Event, State
from shared.storage.db.engine import Database, WakeUp
from shared.storage.functions.accept_function import ACCEPT
from shared.storage.payments.acceptance import accept
from shared.storage.payments.new_payment import Accepted, Conflict

_NAME = "till.example"
_ELSEWHERE = "127.0.0.77:8888"

#: Statements of the function before which it is stopped.
_INSERT = "INSERT INTO payments (id"
_HISTORY = "INSERT INTO payment_events"
_BIND = "INSERT INTO idempotency_keys"


async def order_locked_before_the_insert(one: Database, two: Database) -> list[str]:
    """A process stops before its insert while another attempt runs, fails and gets conflicting evidence."""
    await queued(one, order_id="creates the lock")
    async with stopped_in(two, ACCEPT, _INSERT) as stop, running(submit(one)) as accepting:
        await stop.reached()
        await outcome_of(_refused_then_proved(two))
        await stop.go()
        answer = await outcome_of(accepting)
    is_in_order = isinstance(answer, Conflict) and answer.reason == "key_closed"
    return [] if is_in_order else [f"accepted, and its order is locked: {answer}"]


async def _refused_then_proved(database: Database) -> None:
    """Store another attempt, by statements, and end it; then its success is proved."""
    other = await submit_by_statements(database)
    assert isinstance(other, Accepted)
    claimed = await try_claim(database, other.payment_id)
    await settle(database, claimed, Event.ANSWERED_REFUSED)
    await prove(database, other.payment_id, Event.PROVED_DONE)


async def one_order_twice_at_once(one: Database, two: Database) -> list[str]:
    """An order comes again while its first request stands behind its insert."""
    async with stopped_in(two, ACCEPT, _HISTORY) as stop, running(submit(one)) as first:
        await stop.reached()
        async with running(submit(two)) as second:
            await finished_or_blocked(two, second)
            await stop.go()
            answers = await outcome_of(first), await outcome_of(second)
    kinds = sorted(type(answer).__name__ for answer in answers)
    return [] if kinds == ["Accepted", "Attached"] else [f"one order is charged twice: {kinds}"]


async def one_key_for_two_orders(one: Database, two: Database) -> list[str]:
    """A key is bound to another order just before it is bound to this one."""
    await queued(one, order_id="creates the lock")
    request = submit(one, order_id="order-1", idempotency_key="key")
    async with stopped_in(two, ACCEPT, _BIND) as stop, running(request) as accepting:
        await stop.reached()
        other = await submit_by_statements(two, order_id="order-2", idempotency_key="key")
        assert isinstance(other, Accepted)
        await stop.go()
        answer = await outcome_of(accepting)
    is_in_order = isinstance(answer, Conflict) and answer.reason == "key_used"
    return [] if is_in_order else [f"one key names two operations: {answer}"]


async def name_moved_during_a_doubt(one: Database, _: Database) -> list[str]:
    """A terminal's name leads to another address while its payment is in doubt."""
    await in_doubt(one, host=_NAME)
    await queued(one, host=_NAME, terminal_address=_ELSEWHERE, order_id="order-2")
    marked = await rows(
        one,
        "SELECT address FROM terminal_locks WHERE address = :address AND identify_first",
        address=_ELSEWHERE,
    )
    return [] if marked else ["the new address may still show the earlier amount"]


RACES: dict[str, tuple[Callable[[Database, Database], Awaitable[list[str]]], Mapping[str, str]]] = {
    "order locked before the insert": (order_locked_before_the_insert, {"AND id <> p_id": "AND false"}),
    "one order twice at once": (
        one_order_twice_at_once,
        {"p_operation_key, p_operation_key, p_idempotency_key": "p_operation_key, NULL, p_idempotency_key"},
    ),
    "one key for two orders": (
        one_key_for_two_orders,
        {"RAISE EXCEPTION 'the key was bound meanwhile' USING ERRCODE = 'CT001'": "RETURN true"},
    ),
    "a name that moves": (
        name_moved_during_a_doubt,
        {"SELECT p_terminal_address, moved": "SELECT p_terminal_address, false"},
    ),
}


@pytest.mark.parametrize("name", RACES)
async def test_an_acceptance_is_in_order_between_the_statements_of_its_function(
    postgres_database: Database, second_postgres_database: Database, name: str
) -> None:
    """The product as it is does nothing wrong in any of them."""
    scenario, _ = RACES[name]

    assert await scenario(postgres_database, second_postgres_database) == []


@pytest.mark.parametrize("name", RACES)
async def test_a_mistake_in_the_function_of_the_acceptance_is_seen(
    postgres_database: Database, second_postgres_database: Database, name: str
) -> None:
    """The scenario is worth nothing where it cannot see the mistake that it is for."""
    scenario, changes = RACES[name]

    async with mistaken(postgres_database, ACCEPT, changes):
        wrongs = await scenario(postgres_database, second_postgres_database)

    assert wrongs != []


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="an address"),
        pytest.param({"host": "till{n}.example"}, id="a name"),
        pytest.param(
            {
                "idempotency_key": "key of {n}",
                "notifies_hipay": True,
                "webhook_endpoint_id": "whe_1",
                "traceparent": "00-{n}",
                "warnings": ("a \u20ac",),
                "request": '{{"order": ":x $1 %"}}',
                "force_authorization": True,
            },
            id="everything",
        ),
    ],
)
async def test_an_acceptance_by_the_function_leaves_the_rows_that_statements_leave(
    postgres_database: Database, changes: dict[str, Any]
) -> None:
    """Every table is equal, ids and times aside; so are the answer and the wake-ups."""
    wake_ups: list[WakeUp] = []
    postgres_database.on_committed = wake_ups.extend
    found = []
    for number, by in enumerate((submit, submit_by_statements), start=100):
        order = {
            "order_id": f"order of {number}",
            "host": f"127.0.1.{number}",
            "terminal_address": f"127.0.1.{number}:8888",
            **{name: _filled_in(value, number) for name, value in changes.items()},
        }
        wake_ups.clear()
        accepted = await by(postgres_database, **order)
        assert isinstance(accepted, Accepted)
        texts = [
            accepted.payment_id,
            accepted.payment_id[4:],
            *(str(order[name]) for name in _NAMES if name in order),
        ]
        found.append(await comparable(postgres_database, *texts, also=f"{accepted} {wake_ups}"))

    by_function, by_statements = found
    assert by_function == by_statements
    assert len(wake_ups) == ("notifies_hipay" in changes)


_NAMES = ("order_id", "terminal_address", "host", "idempotency_key", "traceparent")


def _filled_in(value: object, number: int) -> object:
    return value.format(n=number) if isinstance(value, str) else value


async def test_an_acceptance_that_was_carried_out_late_is_found_as_its_own(
    postgres_database: Database,
) -> None:
    """The connection was lost and the same payment is stored again: it is there once."""
    new = new_payment(idempotency_key="key")

    answers = [await accept(postgres_database, new, TERMS) for _ in range(2)]

    assert answers == [Accepted(new.id, State.QUEUED)] * 2
    assert len(await rows(postgres_database, "SELECT id FROM payments")) == 1


async def test_a_usual_acceptance_is_one_round_trip(postgres_database: Database) -> None:
    """Terminal lock, order guard, payment, history, notification and key cost none of their own."""
    with counted_round_trips() as count:
        assert isinstance(
            await submit(postgres_database, idempotency_key="key", notifies_hipay=True), Accepted
        )

    assert count() == 1
