"""Two processes at once at the order guard: a lock is a statement of its own, the next statement reads."""

from contextlib import AbstractContextManager
from typing import Any

import pytest
from payments import (
    accepted,
    attached,
    conflict,
    history,
    in_doubt,
    in_session,
    prove,
    queued,
    refused,
    rows,
    settle,
    stored,
    submit,
    submit_by_statements,
    succeeded,
)
from races.crossing import crossed
from races.interleaving import (
    Pause,
    finished_or_blocked,
    outcome_of,
    paused_before,
    paused_before_commit,
    running,
)

from shared.payment.answers import response_for
from shared.payment.payment import Operation, Reason, Result
from shared.payment.states import Event, State
from shared.storage.db.engine import Database
from shared.storage.payments import acceptance, debits, ending, insertion

CREDIT: dict[str, Any] = {"operation": Operation.CREDIT}
REVERSAL: dict[str, Any] = {"operation": Operation.REVERSAL}
#: Where an insert stands while another transaction begins; the last one is before its commit.
INSERT_STANDS = {"before its insert": insertion._INSERT, "after its insert": insertion._LOCK_ATTEMPTS}
ANYWHERE = [*INSERT_STANDS, "before its commit"]


def paused_at(database: Database, where: str) -> AbstractContextManager[Pause]:
    statement = INSERT_STANDS.get(where)
    return paused_before_commit(database) if statement is None else paused_before(database, statement)


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
    one: Database, two: Database, first: dict[str, Any], second: dict[str, Any], reason: str, where: str
) -> None:
    """Under the debit's lock the second reads what the first stored: no more is refunded than was paid."""
    await succeeded(one)

    stored_one, refused_one = await crossed(
        two, paused_at(one, where), submit(one, **first), submit(two, **second), waits=None
    )

    assert accepted(stored_one)
    assert conflict(refused_one).reason == reason


async def test_a_credit_sees_what_its_debit_became_while_it_waited(one: Database, two: Database) -> None:
    """The debit is settled in part; the credit that waited for its row reads the amount then paid."""
    doubted = await in_doubt(one)
    proof = prove(one, doubted.payment.id, Event.PROVED_DONE, Result(paid_cents=900))

    _, answer = await crossed(
        two, paused_before_commit(one), proof, submit(two, **CREDIT, amount_cents=950), waits=None
    )

    assert conflict(answer).reason == "amount"


async def test_equal_orders_at_once_attach_to_the_one_that_commits(one: Database, two: Database) -> None:
    """The second insert waits for the first's commit and then attaches to it."""
    first, second = await crossed(two, paused_before_commit(one), submit(one), submit(two))

    assert attached(second).id == accepted(first)


@pytest.mark.parametrize("where", ANYWHERE)
async def test_an_attempt_that_is_stored_while_its_order_is_locked_is_cancelled_or_refused(
    one: Database, two: Database, where: str
) -> None:
    """Wherever the insert stands when the conflict begins, a locked order has no live attempt."""
    failed = await refused(one)

    proof = prove(two, failed.id, Event.PROVED_DONE)
    await crossed(two, paused_at(one, where), submit(one), proof, waits=None)

    assert await rows(one, "SELECT id FROM payments WHERE guard_key IS NOT NULL") == []
    for row in await rows(one, "SELECT id, state, reason FROM payments WHERE NOT contradicted"):
        assert (row.state, row.reason) == (State.CANCELLED, Reason.KEY_CLOSED)


@pytest.mark.parametrize("where", ["before it looks for queued ones", "before its commit"])
async def test_an_insert_during_a_conflict_waits_and_finds_the_order_locked(
    one: Database, two: Database, where: str
) -> None:
    """The failed attempt's lock makes the insert wait; the next statement reads the mark."""
    failed = await refused(one)
    before_its_look = where == "before it looks for queued ones"
    pause = paused_before(one, ending._LOCK_KEYS) if before_its_look else paused_before_commit(one)

    _, answer = await crossed(two, pause, prove(one, failed.id, Event.PROVED_DONE), submit(two), waits=None)

    assert conflict(answer).reason == "key_closed"


@pytest.mark.parametrize("earlier_attempts", [0, 1])
async def test_an_insert_that_stood_still_finds_the_order_locked(
    one: Database, two: Database, earlier_attempts: int
) -> None:
    """A process stops before its insert while another attempt runs, fails and gets conflicting evidence.

    There was no row of that attempt to lock beforehand, so the key is checked after the insert.
    """
    await succeeded(one, order_id="creates the lock")
    for _ in range(earlier_attempts):
        await refused(one)
    with paused_before(one, insertion._INSERT) as pause:
        async with running(submit_by_statements(one)) as insert:
            await pause.reached()
            failed = await outcome_of(refused(two))
            await outcome_of(prove(two, failed.id, Event.PROVED_DONE))
            pause.go()
            answer = conflict(await outcome_of(insert))

    assert (answer.reason, answer.payment.id) == ("key_closed", failed.id)
    (blocking,) = await rows(one, "SELECT order_id FROM payments WHERE guard_key IS NOT NULL")
    assert blocking.order_id == "creates the lock"


async def test_two_conflicts_of_one_key_end_without_a_lost_mark(one: Database, two: Database) -> None:
    """They cross each other's rows; whatever PostgreSQL makes of it, both marks and one cancellation stay."""
    first, second = await refused(one), await refused(one)
    waits = await queued(one)

    await crossed(
        two,
        paused_before(one, ending._LOCK_KEYS),
        prove(one, first.id, Event.PROVED_DONE),
        prove(two, second.id, Event.PROVED_DONE),
        waits=None,
    )

    assert len(await rows(one, "SELECT id FROM payments WHERE contradicted")) == 2
    assert [event for event, _ in await history(one, waits)] == ["accepted", "cancelled"]


async def test_an_attempt_that_fails_during_a_conflict_is_not_safe_to_retry(
    one: Database, two: Database
) -> None:
    """It waits for the lock of the order and says so; later requests get the same in any order of the two."""
    failed = await refused(one)
    claimed = await in_session(one)

    _, also_failed = await crossed(
        two,
        paused_before_commit(one),
        prove(one, failed.id, Event.PROVED_DONE),
        settle(two, claimed, Event.ANSWERED_REFUSED),
    )

    assert (also_failed.state, response_for(also_failed).safe_to_retry) == (State.REFUSED, False)


async def test_a_conflict_during_an_attempts_failure_locks_it_too(one: Database, two: Database) -> None:
    """The other order: its client got another response before, and this one from then on."""
    failed = await refused(one)
    claimed = await in_session(one)

    told, _ = await crossed(
        two,
        paused_before_commit(one),
        settle(one, claimed, Event.ANSWERED_REFUSED),
        prove(two, failed.id, Event.PROVED_DONE),
    )

    assert response_for(told).safe_to_retry
    ended = await stored(one, claimed.payment.id)
    assert (ended.state, response_for(ended).safe_to_retry) == (State.REFUSED, False)


async def test_a_debit_during_its_reversals_conflict_is_not_answered_with_the_old_success(
    one: Database, two: Database
) -> None:
    """The reversal was stored as failed, so the debit's success would be replayed without the evidence."""
    await succeeded(one)
    reversal = await refused(one, **REVERSAL)
    with paused_before(two, acceptance._BLOCKING_ATTEMPT) as pause:
        async with running(submit(two)) as repeated:
            await pause.reached()
            await outcome_of(prove(one, reversal.id, Event.PROVED_DONE))
            pause.go()
            answer = conflict(await outcome_of(repeated))

    assert (answer.reason, answer.payment.id) == ("key_closed", reversal.id)


@pytest.mark.parametrize("where", ANYWHERE)
async def test_a_new_debit_during_a_reversals_conflict_is_cancelled_or_refused(
    one: Database, two: Database, where: str
) -> None:
    """A reversal stored as done released the order; wherever the new attempt stands, it is not charged."""
    await succeeded(one)
    reversal = await succeeded(one, **REVERSAL)

    proof = prove(two, reversal.id, Event.PROVED_REFUSED)
    await crossed(two, paused_at(one, where), submit(one), proof, waits=None)

    live = "SELECT id FROM payments WHERE operation = 'debit' AND guard_key IS NOT NULL"
    assert await rows(one, live) == []


@pytest.mark.parametrize("keys", [("a", "b"), ("a", "a"), (None, None), (None, "b")])
async def test_two_reversals_at_once_of_an_order_charged_twice_never_mean_the_same_charge(
    one: Database, two: Database, keys: tuple[str | None, str | None]
) -> None:
    """The second waits for the first's lock on every charge and reads what it stored."""
    failed = await refused(one)
    await succeeded(one)
    await prove(one, failed.id, Event.PROVED_DONE)

    first, then = await crossed(
        two,
        paused_before_commit(one),
        submit(one, **REVERSAL, idempotency_key=keys[0]),
        submit(two, **REVERSAL, idempotency_key=keys[1]),
    )

    first_id = accepted(first)
    match keys:
        case ("a", "a"):
            assert attached(then).id == first_id
        case (_, "b"):
            assert accepted(then)
        case _:
            assert conflict(then).reason == "ambiguous"
    found = await rows(one, "SELECT debit_id FROM payments WHERE operation = 'reversal'")
    assert len({row.debit_id for row in found}) == len(found)


@pytest.mark.parametrize("crossing", [0, 1])
async def test_a_reversal_and_a_conflict_of_its_order_end_in_any_order(
    one: Database, two: Database, crossing: int
) -> None:
    """Both lock several debits of one key; whatever PostgreSQL makes of it, both are carried out."""
    attempts = [await refused(one), await refused(one)]
    await succeeded(one)
    await prove(one, attempts[crossing].id, Event.PROVED_DONE)

    _, reversal = await crossed(
        two,
        paused_before(one, ending._LOCK_KEYS),
        prove(one, attempts[1 - crossing].id, Event.PROVED_DONE),
        submit(two, **REVERSAL),
        waits=None,
    )

    assert accepted(reversal)
    assert len(await rows(one, "SELECT id FROM payments WHERE contradicted")) == 2


async def test_a_proof_of_a_reversal_locks_the_debit_first(one: Database, two: Database) -> None:
    """Debit before payment, as every insert does: while the debit is locked the reversal is not yet."""
    debit = await succeeded(one)
    doubted = await in_doubt(one, **REVERSAL)
    unlocked = "SELECT id FROM payments WHERE id = :id FOR UPDATE SKIP LOCKED"
    with paused_before(one, debits._FOLLOWERS) as pause:
        async with running(submit(one, **REVERSAL)) as repeated:
            await pause.reached()
            async with running(prove(two, doubted.payment.id, Event.PROVED_DONE)) as proved:
                assert await finished_or_blocked(two, proved)
                free = await rows(one, unlocked, id=doubted.payment.id)
                pause.go()
                answer = await outcome_of(repeated)
                assert (await outcome_of(proved)).state is State.SUCCEEDED

    assert len(free) == 1
    assert attached(answer).id == doubted.payment.id
    assert (await stored(one, debit.id)).guard_key is None
