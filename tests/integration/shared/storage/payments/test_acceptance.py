"""The order guard: payments are stored, attached or refused; the same on both databases."""

import asyncio
from typing import Any

import pytest
from payments import (
    ADDRESS,
    HOST,
    TERMS,
    accepted,
    attached,
    change,
    conflict,
    ended,
    history,
    in_doubt,
    in_session,
    new_payment,
    prove,
    queued,
    refused,
    rows,
    stored,
    submit,
    succeeded,
    try_claim,
)

from shared.payment.payment import Operation, Reason, Result
from shared.payment.states import Event, State
from shared.storage.db.engine import Database
from shared.storage.payments.acceptance import accept
from shared.storage.payments.claims import Claimed, cancel
from shared.storage.payments.new_payment import Accepted, Attached

CREDIT: dict[str, Any] = {"operation": Operation.CREDIT}
REVERSAL: dict[str, Any] = {"operation": Operation.REVERSAL}


async def test_a_new_payment_is_stored_as_it_was_sent(database: Database) -> None:
    """Every field of the acceptance is in the row, its times are the database's, its history begins."""
    new = new_payment(
        order_id="été-☕",
        idempotency_key="key",
        force_authorization=True,
        request='{"order":{"order_id":"été-☕"}}',
        warnings=("amount_string",),
        deadline_seconds=1.5,
    )

    acceptance = await accept(database, new, TERMS)

    assert acceptance == Accepted(new.id, State.QUEUED)
    payment = await stored(database, new.id)
    kept = {name: getattr(payment, name) for name in type(new).__dataclass_fields__ if hasattr(payment, name)}
    assert kept == {name: getattr(new, name) for name in kept}
    assert payment.state is State.QUEUED
    # Each is a look at the clock.
    assert 1500 <= payment.deadline_at - payment.created_at < 2500
    assert payment.ended_at is None
    assert await history(database, new.id) == [("accepted", State.QUEUED)]


async def test_a_host_name_without_address_is_stored_and_never_queued(database: Database) -> None:
    """It ends at once, releases the order, and can be tried again."""
    first = await submit(database, terminal_address=None)
    second = await submit(database, terminal_address=None)

    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    payment = await stored(database, first.payment_id)
    assert (payment.state, payment.reason) == (State.UNREACHABLE, Reason.NO_ADDRESS)
    assert payment.ended_at is not None
    assert payment.guard_key is None


async def test_fifty_equal_requests_at_once_give_one_row(
    database: Database, second_database: Database
) -> None:
    """Through two processes one request is accepted and the others attach to it."""
    answers = await asyncio.gather(*(submit(each) for _ in range(25) for each in (database, second_database)))

    accepted = [answer.payment_id for answer in answers if isinstance(answer, Accepted)]
    attached = [answer.payment.id for answer in answers if isinstance(answer, Attached)]
    assert len(accepted) == 1
    assert attached == accepted * 49
    assert len(await rows(database, "SELECT id FROM payments")) == 1


async def test_another_merchants_equal_order_is_another_order(database: Database) -> None:
    """The guard is the merchant's own."""
    await change(
        database,
        "INSERT INTO merchants (id, name, networks, created_at) VALUES ('other', 'A cafe', '[]', 0)",
    )
    await queued(database)

    assert accepted(await submit(database, merchant_id="other"))


@pytest.mark.parametrize("state", [State.QUEUED, State.IN_SESSION, State.IN_DOUBT, State.SUCCEEDED])
async def test_the_same_order_attaches_to_the_attempt_that_blocks_it(
    database: Database, state: State
) -> None:
    """Whatever its state, a second equal request starts nothing."""
    match state:
        case State.QUEUED:
            first = await queued(database)
        case State.IN_SESSION:
            first = (await in_session(database)).payment.id
        case State.IN_DOUBT:
            first = (await in_doubt(database)).payment.id
        case _:
            first = (await succeeded(database)).id

    again = await submit(database)

    assert isinstance(again, Attached)
    assert (again.payment.id, again.payment.state) == (first, state)


async def test_another_amount_or_terminal_is_a_conflict_while_an_attempt_blocks(database: Database) -> None:
    """The order is known with other data, so nothing is charged and no result is replayed."""
    await queued(database)

    assert conflict(await submit(database, amount_cents=1001)).reason == "different"
    assert (
        conflict(await submit(database, host="127.0.0.10", terminal_address="127.0.0.10:8888")).reason
        == "different"
    )
    assert conflict(await submit(database, port=8889, terminal_address=f"{HOST}:8889")).reason == "different"


async def test_after_a_failed_attempt_a_new_one_is_accepted(database: Database) -> None:
    """A refused or cancelled attempt releases the order, whatever the next one's amount."""
    await refused(database)
    second = await queued(database)
    await cancel(database, second, Reason.CALLER)

    assert accepted(await submit(database, amount_cents=5))


async def test_a_success_is_replayed_for_its_window_only(database: Database) -> None:
    """Within the hour the stored result, after it a conflict, never a charge."""
    payment = await succeeded(database)
    await _age(database, payment.id, 3590)
    assert attached(await submit(database)).id == payment.id

    await _age(database, payment.id, 20)

    assert conflict(await submit(database)).reason == "used"


async def test_a_credit_without_a_key_is_replayed_for_ten_minutes_only(database: Database) -> None:
    """The next equal credit may be another one; with a key it is the same for the hour."""
    await succeeded(database)
    bare = await succeeded(database, **CREDIT, amount_cents=100)
    keyed = await succeeded(database, **CREDIT, amount_cents=100, idempotency_key="k")
    await _age(database, bare.id, 610)
    await _age(database, keyed.id, 610)

    assert conflict(await submit(database, **CREDIT, amount_cents=100)).reason == "used"
    assert attached(await submit(database, **CREDIT, amount_cents=100, idempotency_key="k")).id == keyed.id


async def _age(database: Database, payment_id: str, seconds: int) -> None:
    await change(
        database,
        "UPDATE payments SET ended_at = ended_at - :ms WHERE id = :id",
        ms=seconds * 1000,
        id=payment_id,
    )


async def test_an_old_attempt_that_is_in_doubt_still_attaches(database: Database) -> None:
    """Only a success gets too old to be replayed."""
    doubted = await in_doubt(database)
    await change(database, "UPDATE payments SET created_at = 0, claimed_at = 0")

    assert attached(await submit(database)).id == doubted.payment.id


async def test_conflicting_evidence_of_a_failure_locks_the_order(database: Database) -> None:
    """An operator decides; a new attempt is refused with the stored payment."""
    failed = await refused(database)
    await prove(database, failed.id, Event.PROVED_DONE)

    answer = conflict(await submit(database))

    assert (answer.reason, answer.payment.id, answer.payment.contradicted) == ("key_closed", failed.id, True)


async def test_a_success_with_conflicting_evidence_is_not_replayed(database: Database) -> None:
    """A success is not replayed against a proof to the contrary."""
    payment = await succeeded(database)
    await prove(database, payment.id, Event.PROVED_REFUSED)

    assert conflict(await submit(database)).reason == "key_closed"


async def test_the_terminal_lock_is_created_once(database: Database) -> None:
    """At its first use; later payments of the address find it."""
    await queued(database, order_id="a")
    await queued(database, order_id="b")

    assert [row.address for row in await rows(database, "SELECT address FROM terminal_locks")] == [ADDRESS]


async def test_a_missing_terminal_lock_is_created_by_the_next_payment(database: Database) -> None:
    """As in a restored database: the next payment of the terminal can be claimed, and one that waits."""
    waiting = await queued(database, order_id="a")
    await change(database, "DELETE FROM terminal_locks")

    await queued(database, order_id="b")

    assert isinstance(await try_claim(database, waiting), Claimed)


async def test_an_order_number_cannot_be_mistaken_for_another_operation(database: Database) -> None:
    """Numbers and keys with colons: the credit of one order does not block that of another."""
    credit: dict[str, Any] = {"operation": Operation.CREDIT, "amount_cents": 100, "passes_unknown": True}
    await queued(database, order_id="a", idempotency_key=":100:", **credit)
    await queued(database, order_id="a::100", **credit)


async def test_an_acceptance_can_be_repeated_after_a_lost_commit(database: Database) -> None:
    """The same acceptance once more finds its own row and stores nothing."""
    new = new_payment()

    answers = [await accept(database, new, TERMS) for _ in range(2)]

    assert answers == [Accepted(new.id, State.QUEUED)] * 2


async def test_a_late_commit_is_found_whatever_became_of_the_payment(database: Database) -> None:
    """Expired meanwhile, it blocks no other attempt; it is still this payment, and stored once."""
    new = new_payment()
    await accept(database, new, TERMS)
    assert await cancel(database, new.id, Reason.CALLER)

    assert await accept(database, new, TERMS) == Accepted(new.id, State.CANCELLED)

    assert len(await rows(database, "SELECT id FROM payments")) == 1


async def test_a_partial_success_is_replayed_for_the_amount_asked(database: Database) -> None:
    """The repeated request names what it asked for, not what was paid."""
    payment = await ended(database, Event.ANSWERED_DONE, Result(paid_cents=900))

    assert attached(await submit(database)).id == payment.id
