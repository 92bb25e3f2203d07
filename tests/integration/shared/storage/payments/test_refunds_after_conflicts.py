"""Reversals and credits after conflicting evidence: money is refunded once."""

from typing import Any

import pytest
from payments import (
    accepted,
    attached,
    change,
    claimed_now,
    conflict,
    in_doubt,
    prove,
    queued,
    refused,
    rows,
    settle,
    stored,
    submit,
    succeeded,
)

from shared.payment.answers import response_for
from shared.payment.payment import Operation, Payment, Reason
from shared.payment.states import Event, State
from shared.storage.db.engine import Database
from shared.storage.payments.new_payment import Acceptance

CREDIT: dict[str, Any] = {"operation": Operation.CREDIT}
REVERSAL: dict[str, Any] = {"operation": Operation.REVERSAL}
DONE = Event.PROVED_DONE


async def charged_twice(database: Database) -> tuple[str, str]:
    """One attempt was called failed and had moved money, the next one succeeded; return the ids in order."""
    first = await refused(database)
    second = await succeeded(database)
    await prove(database, first.id, DONE)
    return first.id, second.id


async def both_in_conflict(database: Database) -> tuple[str, str]:
    """Two attempts were called failed, and both had moved money."""
    attempts = [await refused(database), await refused(database)]
    for attempt in attempts:
        await prove(database, attempt.id, DONE)
    return attempts[0].id, attempts[1].id


async def _debit_of(database: Database, acceptance: Acceptance) -> str | None:
    return (await stored(database, accepted(acceptance))).debit_id


async def _carried_out(database: Database, acceptance: Acceptance) -> Payment:
    return await settle(database, await claimed_now(database, accepted(acceptance)))


@pytest.mark.parametrize("operation", [Operation.REVERSAL, Operation.CREDIT])
async def test_a_failure_with_conflicting_evidence_is_reversed_though_a_later_attempt_failed(
    database: Database, operation: Operation
) -> None:
    """The newest attempt moved nothing; the reversal means the one that did."""
    moved = await refused(database)
    await refused(database)
    await prove(database, moved.id, DONE)

    assert await _debit_of(database, await submit(database, operation=operation)) == moved.id


@pytest.mark.parametrize("twice", [charged_twice, both_in_conflict])
async def test_each_of_two_charges_is_reversed_once(database: Database, twice: Any) -> None:
    """One request each, with different keys; the second is never answered from the first."""
    debits = await twice(database)
    one = await _carried_out(database, await submit(database, **REVERSAL, idempotency_key="one"))
    two = await _carried_out(database, await submit(database, **REVERSAL, idempotency_key="two"))

    assert {one.debit_id, two.debit_id} == set(debits)
    for key, reversal in (("one", one), ("two", two)):
        assert attached(await submit(database, **REVERSAL, idempotency_key=key)) == reversal
    assert conflict(await submit(database, **REVERSAL, idempotency_key="three")).reason == "reversed"


@pytest.mark.parametrize("key", [None, "one"])
async def test_a_second_reversal_that_could_be_a_repeat_is_ambiguous(
    database: Database, key: str | None
) -> None:
    """Without a key it may be the first one once more, whose answer got lost, or mean the other charge."""
    await charged_twice(database)
    first = await _carried_out(database, await submit(database, **REVERSAL, idempotency_key=key))

    refusal = conflict(await submit(database, **REVERSAL))

    assert (refusal.reason, refusal.payment.id) == ("ambiguous", first.id)
    assert "Idempotency-Key" in refusal.description


async def test_a_charge_that_is_proved_after_the_reversal_is_not_answered_as_reversed(
    database: Database,
) -> None:
    """The order seemed charged once and was reversed; then a proof shows the other charge."""
    moved = await refused(database)
    await succeeded(database)
    reversal = await _carried_out(database, await submit(database, **REVERSAL))
    assert attached(await submit(database, **REVERSAL)) == reversal

    await prove(database, moved.id, DONE)

    assert conflict(await submit(database, **REVERSAL)).reason == "ambiguous"
    assert await _debit_of(database, await submit(database, **REVERSAL, idempotency_key="k")) == moved.id


async def test_a_key_that_joined_a_reversal_never_starts_another(database: Database) -> None:
    """Its first request was answered from another request's reversal: so is a repeat of it."""
    moved = await refused(database)
    await succeeded(database)
    reversal = await _carried_out(database, await submit(database, **REVERSAL))
    assert attached(await submit(database, **REVERSAL, idempotency_key="joined")) == reversal

    await prove(database, moved.id, DONE)

    assert conflict(await submit(database, **REVERSAL, idempotency_key="joined")).reason == "ambiguous"


async def test_charges_of_other_amounts_need_no_key(database: Database) -> None:
    """The amount says which one is meant, the second one too."""
    first = await refused(database)
    second = await succeeded(database, paid_cents=900)
    await prove(database, first.id, DONE)

    for cents, debit in ((900, second), (1000, first)):
        reversal = await _carried_out(database, await submit(database, **REVERSAL, amount_cents=cents))
        assert reversal.debit_id == debit.id
        assert attached(await submit(database, **REVERSAL, amount_cents=cents)) == reversal


async def test_each_of_two_charges_is_credited_up_to_what_was_paid(database: Database) -> None:
    """Not more than the one, not more than the other, and no further."""
    debits = await charged_twice(database)
    given = [
        await submit(database, **CREDIT, amount_cents=cents, idempotency_key=str(number))
        for number, cents in enumerate((700, 700, 300, 300))
    ]

    found = [await _debit_of(database, credit) for credit in given]
    assert sorted(found, key=str) == sorted([*debits, *debits])
    assert (
        conflict(await submit(database, **CREDIT, amount_cents=1, idempotency_key="more")).reason == "amount"
    )


async def test_a_repeated_key_finds_its_credit_though_the_order_was_paid_again(database: Database) -> None:
    """The debit that it belongs to was reversed since: its key means the old credit for ever."""
    await succeeded(database)
    reversal = await _carried_out(database, await submit(database, **REVERSAL, idempotency_key="k"))
    await succeeded(database)

    assert attached(await submit(database, **REVERSAL, idempotency_key="k")) == reversal


@pytest.mark.parametrize("proof", [DONE, Event.PROVED_REFUSED])
async def test_conflicting_evidence_of_a_reversal_locks_the_order_of_its_debit(
    database: Database, proof: Event
) -> None:
    """Failed and proved done, or the reverse: neither replayed nor charged again."""
    debit = await succeeded(database)
    end = refused if proof is DONE else succeeded
    reversal = await end(database, **REVERSAL)
    await prove(database, reversal.id, proof)

    answer = conflict(await submit(database))

    assert (answer.reason, answer.payment.id) == ("key_closed", reversal.id)
    assert conflict(await submit(database, **REVERSAL)).reason == "key_closed"
    assert conflict(await submit(database, **CREDIT)).reason == "reversed"
    locked = await stored(database, debit.id)
    assert (locked.state, locked.contradicted, locked.key_closed) == (State.SUCCEEDED, False, True)


async def test_conflicting_evidence_of_a_reversal_cancels_the_queued_debit_of_its_order(
    database: Database,
) -> None:
    """Stored as done, it released the order; the new attempt has not reached a terminal yet."""
    await succeeded(database)
    reversal = await succeeded(database, **REVERSAL)
    waits = await queued(database)

    await prove(database, reversal.id, Event.PROVED_REFUSED)

    stopped = await stored(database, waits)
    assert (stopped.state, stopped.reason) == (State.CANCELLED, Reason.KEY_CLOSED)
    assert not response_for(stopped).safe_to_retry


async def test_conflicting_evidence_of_a_credit_does_not_lock_the_order(database: Database) -> None:
    """The debit is certain whatever the outcome of the credit; the credit is treated as paid out."""
    debit = await succeeded(database)
    credit = await refused(database, **CREDIT, amount_cents=700)
    await prove(database, credit.id, DONE)

    assert attached(await submit(database)).id == debit.id
    assert conflict(await submit(database, **CREDIT, amount_cents=301)).reason == "amount"
    assert conflict(await submit(database, **REVERSAL)).reason == "credited"


async def test_a_successful_reversal_with_conflicting_evidence_is_not_replayed(database: Database) -> None:
    """A refund is not confirmed against a proof to the contrary."""
    await succeeded(database)
    reversal = await succeeded(database, **REVERSAL)
    await prove(database, reversal.id, Event.PROVED_ABORTED)

    assert conflict(await submit(database, **REVERSAL)).reason == "key_closed"


async def test_a_live_attempt_refuses_every_reversal_and_credit(database: Database) -> None:
    """While one attempt has no result, no other one's money is refunded."""
    moved = await refused(database)
    await in_doubt(database)
    await prove(database, moved.id, DONE)

    assert conflict(await submit(database, **REVERSAL)).reason == "live"


async def test_debits_of_a_reused_number_are_no_second_charge(database: Database) -> None:
    """An old sale of the same number is another sale: a reversal means today's, with no key."""
    await succeeded(database)
    await change(database, "UPDATE payments SET guard_key = NULL")
    today = await succeeded(database)

    reversal = await _carried_out(database, await submit(database, **REVERSAL))

    assert reversal.debit_id == today.id
    assert attached(await submit(database, **REVERSAL)) == reversal


async def test_a_reversal_in_doubt_is_ambiguous_to_a_keyless_repeat_only(database: Database) -> None:
    """A repeat with its own key attaches to it and waits for its outcome."""
    await charged_twice(database)
    doubted = await in_doubt(database, **REVERSAL, idempotency_key="k")

    assert attached(await submit(database, **REVERSAL, idempotency_key="k")).id == doubted.payment.id
    assert conflict(await submit(database, **REVERSAL)).reason == "ambiguous"
    assert len(await rows(database, "SELECT id FROM payments WHERE operation = 'reversal'")) == 1
