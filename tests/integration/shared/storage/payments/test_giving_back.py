"""Reversals and credits are passed on, refused or replayed by their debit; the same on both databases."""

from typing import Any

import pytest
from payments import (
    accepted,
    attached,
    conflict,
    in_doubt,
    in_session,
    prove,
    queued,
    refused,
    rows,
    stored,
    submit,
    succeeded,
)

from shared.payment.payment import Operation
from shared.payment.states import Event, State
from shared.storage.db.engine import Database
from shared.storage.payments import snapshots
from shared.storage.payments.new_payment import UnknownOrder

CREDIT: dict[str, Any] = {"operation": Operation.CREDIT}
REVERSAL: dict[str, Any] = {"operation": Operation.REVERSAL}


async def test_a_reversal_of_a_success_is_stored_with_its_debit(database: Database) -> None:
    """It names the debit in its row and key, so that the rules find it."""
    debit = await succeeded(database)

    reversal = await snapshots.payment(database, await queued(database, **REVERSAL))

    assert reversal is not None
    assert (reversal.debit_id, reversal.guard_key) == (debit.id, f"reversal:{debit.id}:order-1")


@pytest.mark.parametrize("operation", [Operation.REVERSAL, Operation.CREDIT])
async def test_a_reversal_without_a_debit_here_is_passed_on_and_recorded_so(
    database: Database, operation: Operation
) -> None:
    """The terminal checks it; the event shows that nothing was checked here."""
    payment_id = await queued(database, operation=operation, order_id="unknown", passes_unknown=True)

    (event,) = await rows(database, "SELECT detail FROM payment_events WHERE payment_id = :id", id=payment_id)
    assert '"debit":"unknown"' in event.detail


@pytest.mark.parametrize("operation", [Operation.REVERSAL, Operation.CREDIT])
async def test_a_reversal_without_a_debit_here_is_refused_unless_it_may_be_passed_on(
    database: Database, operation: Operation
) -> None:
    """Nothing is stored: the terminal would reverse the newest other sale of that amount."""
    assert await submit(database, operation=operation, order_id="unknown") == UnknownOrder()

    for table in ("payments", "payment_events", "deliveries"):
        assert await rows(database, f"SELECT * FROM {table}") == []


@pytest.mark.parametrize("operation", [Operation.REVERSAL, Operation.CREDIT])
async def test_a_passed_on_reversal_is_replayed_though_it_would_be_refused_now(
    database: Database, operation: Operation
) -> None:
    """The setting changed, or the repeated request came to a process that knows it already."""
    asked: dict[str, Any] = {"operation": operation, "order_id": "unknown"}
    first = await succeeded(database, **asked, passes_unknown=True)

    assert attached(await submit(database, **asked)).id == first.id


@pytest.mark.parametrize("operation", [Operation.REVERSAL, Operation.CREDIT])
async def test_a_live_debit_refuses_reversal_and_credit(database: Database, operation: Operation) -> None:
    """In doubt too: it is unknown whether anything was charged."""
    await in_doubt(database)

    assert conflict(await submit(database, operation=operation)).reason == "live"


async def test_a_reversal_is_of_the_amount_that_was_really_paid(database: Database) -> None:
    """After a partial approval the amount asked for is refused."""
    await succeeded(database, paid_cents=900)

    assert conflict(await submit(database, **REVERSAL, amount_cents=1000)).reason == "amount"
    assert accepted(await submit(database, **REVERSAL, amount_cents=900))


async def test_a_repeated_reversal_attaches_and_is_replayed(database: Database) -> None:
    """Its own key is checked before the rules: a lost response is found again."""
    await succeeded(database)
    first = await in_session(database, **REVERSAL)
    assert attached(await submit(database, **REVERSAL)).id == first.payment.id


async def test_a_successful_reversal_lets_the_order_be_debited_again(database: Database) -> None:
    """The new debit is no replay of the old one, and has a reversal of its own."""
    first = await succeeded(database)
    reversal = await succeeded(database, **REVERSAL)
    assert attached(await submit(database, **REVERSAL)).id == reversal.id

    second = await succeeded(database)

    assert second.id != first.id
    again = await stored(database, await queued(database, **REVERSAL))
    assert again.debit_id == second.id


async def test_a_failed_reversal_does_not_release_the_order(database: Database) -> None:
    """Only a success releases the order."""
    debit = await succeeded(database)
    await refused(database, **REVERSAL)

    assert attached(await submit(database)).id == debit.id


async def test_a_reversal_that_a_proof_settles_releases_the_order_too(database: Database) -> None:
    """Proved later or answered at once, the debit is reversed."""
    debit = await succeeded(database)
    doubted = await in_doubt(database, **REVERSAL)
    await prove(database, doubted.payment.id, Event.PROVED_DONE)

    reversed_debit = await stored(database, debit.id)
    assert (reversed_debit.state, reversed_debit.guard_key) == (State.SUCCEEDED, None)


async def test_credits_differ_by_amount_and_key(database: Database) -> None:
    """Equal ones attach, others are stored until the sum is what was paid."""
    await succeeded(database)
    first = await queued(database, **CREDIT, amount_cents=400)

    assert attached(await submit(database, **CREDIT, amount_cents=400)).id == first
    assert accepted(await submit(database, **CREDIT, amount_cents=400, idempotency_key="b"))
    assert conflict(await submit(database, **CREDIT, amount_cents=201)).reason == "amount"
    assert accepted(await submit(database, **CREDIT, amount_cents=200))


async def test_a_credit_goes_back_on_another_terminal(database: Database) -> None:
    """Only the reversal belongs to the terminal of its debit."""
    await succeeded(database)
    elsewhere: dict[str, Any] = {"host": "127.0.0.10", "terminal_address": "127.0.0.10:8888"}

    assert conflict(await submit(database, **REVERSAL, **elsewhere)).reason == "terminal"
    assert accepted(await submit(database, **CREDIT, amount_cents=1, **elsewhere))


async def test_reversal_and_credit_keep_each_other_out(database: Database) -> None:
    """Whichever is first: the same money is not refunded twice."""
    await succeeded(database, order_id="a")
    await queued(database, **CREDIT, order_id="a", amount_cents=1)
    await succeeded(database, order_id="b")
    await queued(database, **REVERSAL, order_id="b")

    assert conflict(await submit(database, **REVERSAL, order_id="a")).reason == "credited"
    assert conflict(await submit(database, **CREDIT, order_id="b", amount_cents=1)).reason == "reversed"


async def test_a_failed_debit_with_conflicting_evidence_can_be_reversed(database: Database) -> None:
    """Its money moved, so a reversal of it is stored."""
    failed = await refused(database)
    await prove(database, failed.id, Event.PROVED_DONE)

    reversal = await snapshots.payment(database, await queued(database, **REVERSAL))

    assert reversal is not None
    assert reversal.debit_id == failed.id


async def test_a_failed_reversal_with_conflicting_evidence_refuses_credits(database: Database) -> None:
    """It may have refunded the money."""
    await succeeded(database)
    reversal = await refused(database, **REVERSAL)
    assert accepted(await submit(database, **CREDIT, amount_cents=1))
    await prove(database, reversal.id, Event.PROVED_DONE)

    assert conflict(await submit(database, **CREDIT, amount_cents=2)).reason == "reversed"
