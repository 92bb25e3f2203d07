"""Idempotency keys: each names one operation, also for requests at once; credits differ by their keys."""

from contextlib import AsyncExitStack
from typing import Any

import pytest
from payments import ended, prove, queued, refused, rows, submit, succeeded
from races.interleaving import (
    finished_or_blocked,
    open_transaction,
    outcome_of,
    paused_before_commit,
    running,
)

from shared.payment.payment import Operation
from shared.payment.states import Event
from shared.storage.db.engine import Database
from shared.storage.payments.new_payment import Accepted, Attached, Conflict

KEYED: dict[str, Any] = {"idempotency_key": "key-1"}


async def test_the_same_key_and_operation_returns_the_state_that_is(database: Database) -> None:
    """As without a key: attached while an attempt blocks, a new attempt after a failure."""
    first = await queued(database, **KEYED)
    again = await submit(database, **KEYED)
    assert isinstance(again, Attached)
    assert again.payment.id == first

    await refused(database, order_id="order-2", idempotency_key="key-2")
    assert isinstance(await submit(database, order_id="order-2", idempotency_key="key-2"), Accepted)


@pytest.mark.parametrize(
    "other",
    [
        {"order_id": "order-2"},
        {"amount_cents": 999},
        {"port": 8889, "terminal_address": "127.0.0.9:8889"},
        {"terminal_address": None, "host": "other.example"},
        {"operation": Operation.CREDIT},
        {"currency": "USD"},
    ],
)
async def test_a_key_of_another_operation_is_a_conflict(database: Database, other: dict[str, Any]) -> None:
    """With the payment that the key names; nothing is stored."""
    first = await succeeded(database, **KEYED)

    answer = await submit(database, **{**KEYED, **other})

    assert isinstance(answer, Conflict)
    assert (answer.reason, answer.payment.id) == ("key_used", first.id)
    assert len(await rows(database, "SELECT id FROM payments")) == 1


@pytest.mark.parametrize("end", [Event.ANSWERED_REFUSED, Event.ANSWERED_ABORTED, Event.ANSWERED_BUSY])
async def test_a_key_may_go_to_another_terminal_once_nothing_can_have_moved(
    database: Database, end: Event
) -> None:
    """A POS that was answered 'safe to retry' tries another terminal, and stays there."""
    await ended(database, end, **KEYED)
    await submit(database, **KEYED, terminal_address=None)
    other: dict[str, Any] = {**KEYED, "host": "127.0.0.10", "terminal_address": "127.0.0.10:8888"}

    second = await submit(database, **other)
    assert isinstance(second, Accepted)

    back = await submit(database, **KEYED)
    assert isinstance(back, Conflict)
    assert (back.reason, back.payment.id) == ("key_used", second.payment_id)
    assert isinstance(await submit(database, **other), Attached)


async def test_a_key_stays_at_its_terminal_where_a_failure_has_conflicting_evidence(
    database: Database,
) -> None:
    """The refused attempt moved money: it was not safe to retry."""
    failed = await refused(database, **KEYED)
    await prove(database, failed.id, Event.PROVED_DONE)

    answer = await submit(database, **KEYED, terminal_address="127.0.0.10:8888")

    assert isinstance(answer, Conflict)
    assert answer.payment.id == failed.id


async def test_two_names_of_one_terminal_are_one_operation(database: Database) -> None:
    """With a key and without: what the name leads to is compared, not its text."""
    first = await queued(database, **KEYED)

    for named in (KEYED, {}):
        answer = await submit(database, **named, host="terminal.example")
        assert isinstance(answer, Attached)
        assert answer.payment.id == first
    elsewhere = await submit(database, terminal_address="127.0.0.10:8888")
    assert isinstance(elsewhere, Conflict)
    assert elsewhere.reason == "different"


async def test_a_request_that_attached_has_named_its_operation(database: Database) -> None:
    """Its key was not the first attempt's; it names that operation from then on."""
    first = await queued(database)
    assert isinstance(await submit(database, **KEYED), Attached)

    answer = await submit(database, **{**KEYED, "order_id": "order-2"})

    assert isinstance(answer, Conflict)
    assert (answer.reason, answer.payment.id) == ("key_used", first)


async def test_a_refused_request_has_named_nothing(database: Database) -> None:
    """A 409 stores neither payment nor key: the corrected request may use it."""
    await queued(database)
    assert isinstance(await submit(database, **{**KEYED, "amount_cents": 999}), Conflict)

    assert isinstance(await submit(database, **{**KEYED, "order_id": "order-2"}), Accepted)


async def test_another_merchants_key_is_another_key(database: Database) -> None:
    """Cash registers of different merchants use the same numbers."""
    from stored.merchants import create_merchant

    await create_merchant(database, "other", "Another bakery", [])
    await queued(database, **KEYED)

    assert isinstance(await submit(database, **{**KEYED, "merchant_id": "other", "order_id": "x"}), Accepted)


async def test_keys_distinguish_equal_credits(database: Database) -> None:
    """Without one the second is the first's answer; with one of its own it is a second refund."""
    debit = await succeeded(database)
    credit: dict[str, Any] = {"operation": Operation.CREDIT, "amount_cents": 300}
    first = await succeeded(database, **credit)

    assert isinstance(await submit(database, **credit), Attached)
    second = await submit(database, **credit, **KEYED)
    assert isinstance(second, Accepted)
    assert isinstance(await submit(database, **credit, **KEYED), Attached)
    assert first.debit_id == debit.id


@pytest.mark.parametrize("other", [{"order_id": "order-2"}, {"order_id": "order-2", "amount_cents": 5}])
async def test_two_operations_with_one_key_at_once_are_not_both_stored(
    postgres_database: Database, second_postgres_database: Database, other: dict[str, Any]
) -> None:
    """Different orders lock no row in common but the key's: the later one waits there and is a conflict."""
    with paused_before_commit(postgres_database) as pause:
        async with running(submit(postgres_database, **KEYED)) as one:
            await pause.reached()
            async with running(submit(second_postgres_database, **{**KEYED, **other})) as two:
                assert await finished_or_blocked(second_postgres_database, two)
                pause.go()
                first, second = await outcome_of(one), await outcome_of(two)

    assert isinstance(first, Accepted)
    assert isinstance(second, Conflict)
    assert second.reason == "key_used"
    assert len(await rows(postgres_database, "SELECT id FROM payments")) == 1


async def test_equal_requests_with_one_key_at_once_are_one_payment(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """The later one waits for the earlier one's commit and attaches."""
    with paused_before_commit(postgres_database) as pause:
        async with running(submit(postgres_database, **KEYED)) as one:
            await pause.reached()
            async with running(submit(second_postgres_database, **KEYED)) as two:
                assert await finished_or_blocked(second_postgres_database, two)
                pause.go()
                first, second = await outcome_of(one), await outcome_of(two)

    assert isinstance(first, Accepted)
    assert isinstance(second, Attached)
    assert second.payment.id == first.payment_id


async def test_a_request_that_was_rolled_back_leaves_its_key_to_others(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """A request that waited for a key whose transaction was rolled back binds it."""
    from shared.storage.payments.idempotency import NamedOperation, bind

    named = NamedOperation("merchant", "key-1", "order-9", Operation.DEBIT, 1, "EUR")
    async with AsyncExitStack() as stack:
        async with open_transaction(postgres_database) as tx:
            await bind(tx, named)
            waiting = await stack.enter_async_context(running(submit(second_postgres_database, **KEYED)))
            assert await finished_or_blocked(second_postgres_database, waiting)
        assert isinstance(await outcome_of(waiting), Accepted)
