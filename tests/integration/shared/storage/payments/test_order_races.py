"""Two processes at once at the order guard: a lock is a statement of its own, the next statement reads."""

from typing import Any

import pytest
from payments import (
    history,
    in_doubt,
    in_session,
    prove,
    queued,
    refused,
    rows,
    submit,
    submit_by_statements,
    succeeded,
)
from races.interleaving import finished_or_blocked, outcome_of, paused_before, paused_before_commit, running

from shared.payment.answers import response_for
from shared.payment.payment import Operation, Payment, Reason, Result, Settlement
from shared.payment.states import Event, State
from shared.storage.db.engine import Database
from shared.storage.payments import acceptance, debits, ending, insertion, settling, snapshots
from shared.storage.payments.claims import Claimed
from shared.storage.payments.new_payment import Accepted, Attached, Conflict
from shared.storage.terminals.locks import ObservedCapabilities

CREDIT: dict[str, Any] = {"operation": Operation.CREDIT}
REVERSAL: dict[str, Any] = {"operation": Operation.REVERSAL}


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ({**CREDIT, "amount_cents": 600}, {**CREDIT, "amount_cents": 500}, "amount"),
        ({**CREDIT, "amount_cents": 600}, REVERSAL, "credited"),
        (REVERSAL, {**CREDIT, "amount_cents": 600}, "reversed"),
    ],
)
@pytest.mark.parametrize("where", ["before its insert", "before its commit"])
async def test_two_operations_on_one_debit_see_each_other(
    postgres_database: Database,
    second_postgres_database: Database,
    first: dict[str, Any],
    second: dict[str, Any],
    reason: str,
    where: str,
) -> None:
    """Under the debit's lock the second reads what the first stored: no more is refunded than was paid."""
    await succeeded(postgres_database)
    pause_at = (
        paused_before(postgres_database, insertion._INSERT)
        if where == "before its insert"
        else paused_before_commit(postgres_database)
    )
    with pause_at as pause:
        async with running(submit(postgres_database, **first)) as one:
            await pause.reached()
            async with running(submit(second_postgres_database, **second)) as other:
                await finished_or_blocked(second_postgres_database, other)
                pause.go()
                answers = await outcome_of(one), await outcome_of(other)

    assert isinstance(answers[0], Accepted)
    assert isinstance(answers[1], Conflict)
    assert answers[1].reason == reason


async def test_a_credit_sees_what_its_debit_became_while_it_waited(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """The debit is settled in part; the credit that waited for its row reads the amount then paid."""
    doubted = await in_doubt(postgres_database)
    with paused_before_commit(postgres_database) as pause:
        proof = prove(postgres_database, doubted.payment.id, Event.PROVED_DONE, Result(paid_cents=900))
        async with running(proof) as one:
            await pause.reached()
            async with running(submit(second_postgres_database, **CREDIT, amount_cents=950)) as other:
                await finished_or_blocked(second_postgres_database, other)
                pause.go()
                await outcome_of(one)
                answer = await outcome_of(other)

    assert isinstance(answer, Conflict)
    assert answer.reason == "amount"


async def test_equal_orders_at_once_attach_to_the_one_that_commits(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """The second insert waits for the first's commit and then attaches to it."""
    with paused_before_commit(postgres_database) as pause:
        async with running(submit(postgres_database)) as one:
            await pause.reached()
            async with running(submit(second_postgres_database)) as other:
                assert await finished_or_blocked(second_postgres_database, other)
                pause.go()
                first, second = await outcome_of(one), await outcome_of(other)

    assert isinstance(first, Accepted)
    assert isinstance(second, Attached)
    assert second.payment.id == first.payment_id


@pytest.mark.parametrize("where", ["before its insert", "after its insert", "before its commit"])
async def test_an_attempt_that_is_stored_while_its_order_is_locked_is_cancelled_or_refused(
    postgres_database: Database, second_postgres_database: Database, where: str
) -> None:
    """Wherever the insert stands when the conflict begins, a locked order has no live attempt."""
    failed = await refused(postgres_database)
    stands = {"before its insert": insertion._INSERT, "after its insert": insertion._LOCK_ATTEMPTS}
    pause_at = (
        paused_before(postgres_database, stands[where])
        if where in stands
        else paused_before_commit(postgres_database)
    )
    with pause_at as pause:
        async with running(submit(postgres_database)) as insert:
            await pause.reached()
            proof = prove(second_postgres_database, failed.id, Event.PROVED_DONE)
            async with running(proof) as conflict:
                await finished_or_blocked(second_postgres_database, conflict)
                pause.go()
                await outcome_of(insert)
                await outcome_of(conflict)

    assert await rows(postgres_database, "SELECT id FROM payments WHERE guard_key IS NOT NULL") == []
    for row in await rows(postgres_database, "SELECT id, state, reason FROM payments WHERE NOT contradicted"):
        assert (row.state, row.reason) == (State.CANCELLED, Reason.KEY_CLOSED)


@pytest.mark.parametrize("where", ["before it looks for queued ones", "before its commit"])
async def test_an_insert_during_a_conflict_waits_and_finds_the_order_locked(
    postgres_database: Database, second_postgres_database: Database, where: str
) -> None:
    """The failed attempt's lock makes the insert wait; the next statement reads the mark."""
    failed = await refused(postgres_database)
    pause_at = (
        paused_before(postgres_database, ending._LOCK_KEYS)
        if where == "before it looks for queued ones"
        else paused_before_commit(postgres_database)
    )
    with pause_at as pause:
        async with running(prove(postgres_database, failed.id, Event.PROVED_DONE)) as conflict:
            await pause.reached()
            async with running(submit(second_postgres_database)) as insert:
                await finished_or_blocked(second_postgres_database, insert)
                pause.go()
                await outcome_of(conflict)
                answer = await outcome_of(insert)

    assert isinstance(answer, Conflict)
    assert answer.reason == "key_closed"


@pytest.mark.parametrize("earlier_attempts", [0, 1])
async def test_an_insert_that_stood_still_finds_the_order_locked(
    postgres_database: Database, second_postgres_database: Database, earlier_attempts: int
) -> None:
    """A process stops before its insert while another attempt runs, fails and gets conflicting evidence.

    There was no row of that attempt to lock beforehand, so the key is checked after the insert.
    """
    await succeeded(postgres_database, order_id="creates the lock")
    for _ in range(earlier_attempts):
        await refused(postgres_database)
    with paused_before(postgres_database, insertion._INSERT) as pause:
        async with running(submit_by_statements(postgres_database)) as insert:
            await pause.reached()
            failed = await outcome_of(refused(second_postgres_database))
            await outcome_of(prove(second_postgres_database, failed.id, Event.PROVED_DONE))
            pause.go()
            answer = await outcome_of(insert)

    assert isinstance(answer, Conflict)
    assert (answer.reason, answer.payment.id) == ("key_closed", failed.id)
    (blocking,) = await rows(postgres_database, "SELECT order_id FROM payments WHERE guard_key IS NOT NULL")
    assert blocking.order_id == "creates the lock"


async def test_two_conflicts_of_one_key_end_without_a_lost_mark(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """They cross each other's rows; whatever PostgreSQL makes of it, both marks and one cancellation stay."""
    first = await refused(postgres_database)
    second = await refused(postgres_database)
    waits = await queued(postgres_database)
    with paused_before(postgres_database, ending._LOCK_KEYS) as pause:
        async with running(prove(postgres_database, first.id, Event.PROVED_DONE)) as one:
            await pause.reached()
            async with running(prove(second_postgres_database, second.id, Event.PROVED_DONE)) as other:
                await finished_or_blocked(second_postgres_database, other)
                pause.go()
                await outcome_of(one)
                await outcome_of(other)

    assert len(await rows(postgres_database, "SELECT id FROM payments WHERE contradicted")) == 2
    assert [event for event, _ in await history(postgres_database, waits)] == ["accepted", "cancelled"]


async def test_an_attempt_that_fails_during_a_conflict_is_not_safe_to_retry(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """It waits for the lock of the order and says so; later requests get the same in any order of the two."""
    failed = await refused(postgres_database)
    claimed = await in_session(postgres_database)
    with paused_before_commit(postgres_database) as pause:
        async with running(prove(postgres_database, failed.id, Event.PROVED_DONE)) as conflict:
            await pause.reached()
            async with running(_refuse(second_postgres_database, claimed)) as failing:
                assert await finished_or_blocked(second_postgres_database, failing)
                pause.go()
                await outcome_of(conflict)
                failed = await outcome_of(failing)

    assert (failed.state, response_for(failed).safe_to_retry) == (State.REFUSED, False)


async def test_a_conflict_during_an_attempts_failure_locks_it_too(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """The other order: its client got another response before, and this one from then on."""
    failed = await refused(postgres_database)
    claimed = await in_session(postgres_database)
    with paused_before_commit(postgres_database) as pause:
        async with running(_refuse(postgres_database, claimed)) as failing:
            await pause.reached()
            proof = prove(second_postgres_database, failed.id, Event.PROVED_DONE)
            async with running(proof) as conflict:
                assert await finished_or_blocked(second_postgres_database, conflict)
                pause.go()
                assert response_for(await outcome_of(failing)).safe_to_retry
                await outcome_of(conflict)

    ended = await snapshots.payment(postgres_database, claimed.payment.id)
    assert ended is not None
    assert (ended.state, response_for(ended).safe_to_retry) == (State.REFUSED, False)


async def _refuse(database: Database, claimed: Claimed) -> Payment:
    outcome = Settlement(event=Event.ANSWERED_REFUSED, reason=None)
    return await settling.settle(database, claimed.grant, claimed.payment, outcome, ObservedCapabilities())


async def test_a_debit_during_its_reversals_conflict_is_not_answered_with_the_old_success(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """The reversal was stored as failed, so the debit's success would be replayed without the evidence."""
    await succeeded(postgres_database)
    reversal = await refused(postgres_database, **REVERSAL)
    with paused_before(second_postgres_database, acceptance._BLOCKING_ATTEMPT) as pause:
        async with running(submit(second_postgres_database)) as repeated:
            await pause.reached()
            await outcome_of(prove(postgres_database, reversal.id, Event.PROVED_DONE))
            pause.go()
            answer = await outcome_of(repeated)

    assert isinstance(answer, Conflict)
    assert (answer.reason, answer.payment.id) == ("key_closed", reversal.id)


@pytest.mark.parametrize("where", ["before its insert", "after its insert", "before its commit"])
async def test_a_new_debit_during_a_reversals_conflict_is_cancelled_or_refused(
    postgres_database: Database, second_postgres_database: Database, where: str
) -> None:
    """A reversal stored as done released the order; wherever the new attempt stands, it is not charged."""
    await succeeded(postgres_database)
    reversal = await succeeded(postgres_database, **REVERSAL)
    stands = {"before its insert": insertion._INSERT, "after its insert": insertion._LOCK_ATTEMPTS}
    pause_at = (
        paused_before(postgres_database, stands[where])
        if where in stands
        else paused_before_commit(postgres_database)
    )
    with pause_at as pause:
        async with running(submit(postgres_database)) as insert:
            await pause.reached()
            proof = prove(second_postgres_database, reversal.id, Event.PROVED_REFUSED)
            async with running(proof) as conflict:
                await finished_or_blocked(second_postgres_database, conflict)
                pause.go()
                await outcome_of(insert)
                await outcome_of(conflict)

    live = "SELECT id FROM payments WHERE operation = 'debit' AND guard_key IS NOT NULL"
    assert await rows(postgres_database, live) == []


@pytest.mark.parametrize("keys", [("a", "b"), ("a", "a"), (None, None), (None, "b")])
async def test_two_reversals_at_once_of_an_order_charged_twice_never_mean_the_same_charge(
    postgres_database: Database, second_postgres_database: Database, keys: tuple[str | None, str | None]
) -> None:
    """The second waits for the first's lock on every charge and reads what it stored."""
    failed = await refused(postgres_database)
    await succeeded(postgres_database)
    await prove(postgres_database, failed.id, Event.PROVED_DONE)
    with paused_before_commit(postgres_database) as pause:
        async with running(submit(postgres_database, **REVERSAL, idempotency_key=keys[0])) as one:
            await pause.reached()
            second = submit(second_postgres_database, **REVERSAL, idempotency_key=keys[1])
            async with running(second) as other:
                assert await finished_or_blocked(second_postgres_database, other)
                pause.go()
                first, then = await outcome_of(one), await outcome_of(other)

    assert isinstance(first, Accepted)
    match keys:
        case ("a", "a"):
            assert isinstance(then, Attached)
            assert then.payment.id == first.payment_id
        case (_, "b"):
            assert isinstance(then, Accepted)
        case _:
            assert isinstance(then, Conflict)
            assert then.reason == "ambiguous"
    found = await rows(postgres_database, "SELECT debit_id FROM payments WHERE operation = 'reversal'")
    assert len({row.debit_id for row in found}) == len(found)


@pytest.mark.parametrize("crossing", [0, 1])
async def test_a_reversal_and_a_conflict_of_its_order_end_in_any_order(
    postgres_database: Database, second_postgres_database: Database, crossing: int
) -> None:
    """Both lock several debits of one key; whatever PostgreSQL makes of it, both are carried out."""
    attempts = [await refused(postgres_database), await refused(postgres_database)]
    await succeeded(postgres_database)
    await prove(postgres_database, attempts[crossing].id, Event.PROVED_DONE)
    with paused_before(postgres_database, ending._LOCK_KEYS) as pause:
        proof = prove(postgres_database, attempts[1 - crossing].id, Event.PROVED_DONE)
        async with running(proof) as conflict:
            await pause.reached()
            async with running(submit(second_postgres_database, **REVERSAL)) as reversal:
                await finished_or_blocked(second_postgres_database, reversal)
                pause.go()
                await outcome_of(conflict)
                answer = await outcome_of(reversal)

    assert isinstance(answer, Accepted)
    assert len(await rows(postgres_database, "SELECT id FROM payments WHERE contradicted")) == 2


async def test_a_proof_of_a_reversal_locks_the_debit_first(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """Debit before payment, as every insert does: while the debit is locked the reversal is not yet."""
    debit = await succeeded(postgres_database)
    doubted = await in_doubt(postgres_database, **REVERSAL)
    with paused_before(postgres_database, debits._FOLLOWERS) as pause:
        async with running(submit(postgres_database, **REVERSAL)) as repeated:
            await pause.reached()
            proof = prove(second_postgres_database, doubted.payment.id, Event.PROVED_DONE)
            async with running(proof) as proved:
                assert await finished_or_blocked(second_postgres_database, proved)
                free = await rows(
                    postgres_database,
                    "SELECT id FROM payments WHERE id = :id FOR UPDATE SKIP LOCKED",
                    id=doubted.payment.id,
                )
                pause.go()
                answer = await outcome_of(repeated)
                assert (await outcome_of(proved)).state is State.SUCCEEDED

    assert len(free) == 1
    assert isinstance(answer, Attached)
    stored = await snapshots.payment(postgres_database, debit.id)
    assert stored is not None
    assert stored.guard_key is None
