"""Proofs and hints: stored in any state, consulted when doubt begins, never changing a final state."""

import json
from typing import Any

import pytest
from payments import (
    WORKER,
    change,
    claimed_now,
    conflict,
    ended,
    history,
    holder,
    in_doubt,
    in_session,
    lose,
    prove,
    queued,
    refused,
    rows,
    settle,
    stored,
    submit,
    succeeded,
    taken_over,
)

from shared.payment.answers import response_for
from shared.payment.evidence import Evidence, Source
from shared.payment.payment import Operation, Reason, Result, Settlement
from shared.payment.states import Event, State
from shared.storage.db.engine import Database
from shared.storage.payments import settling, snapshots
from shared.storage.payments.claims import cancel, expire
from shared.storage.terminals.locks import LockGrant

PROOFS = [
    (Event.PROVED_DONE, State.SUCCEEDED),
    (Event.PROVED_REFUSED, State.REFUSED),
    (Event.PROVED_ABORTED, State.ABORTED),
]
PAID = Result(paid_cents=900, authorisation_number="123456", warnings=("partial_amount",))


@pytest.mark.parametrize(("proof", "state"), PROOFS)
async def test_a_proof_settles_a_doubt(database: Database, proof: Event, state: State) -> None:
    """With its own result; the terminal lock stays with its holder."""
    claimed = await in_doubt(database, warnings=("amount_string",))

    payment = await prove(database, claimed.payment.id, proof, PAID)

    assert (payment.state, payment.reason, payment.contradicted) == (state, None, False)
    assert (payment.result.paid_cents, payment.result.authorisation_number) == (900, "123456")
    assert payment.result.warnings == ("amount_string", "partial_amount")
    assert payment.ended_at is not None
    assert await holder(database) == payment.id
    assert [event for event, _ in await history(database, payment.id)][-2:] == ["evidence", proof]


@pytest.mark.parametrize(("proof", "state"), PROOFS)
@pytest.mark.parametrize("before", [State.QUEUED, State.IN_SESSION])
async def test_a_proof_that_came_before_settles_the_doubt_as_it_begins(
    database: Database, proof: Event, state: State, before: State
) -> None:
    """It changes nothing while the payment is queued or in session, and is not forgotten."""
    payment_id = await queued(database, warnings=("amount_string",))
    if before is State.QUEUED:
        assert (await prove(database, payment_id, proof, PAID)).state is State.QUEUED
    claimed = await claimed_now(database, payment_id)
    if before is State.IN_SESSION:
        assert (await prove(database, payment_id, proof, PAID)).state is State.IN_SESSION

    payment = await lose(database, claimed)

    assert (payment.state, payment.reason) == (state, None)
    assert (payment.result.paid_cents, payment.result.authorisation_number) == (900, "123456")
    assert payment.result.warnings == ("amount_string", "partial_amount")
    assert [event for event, _ in await history(database, payment_id)][-2:] == ["outcome_lost", proof]
    assert await holder(database) == payment_id


@pytest.mark.parametrize(
    "before", [State.QUEUED, State.IN_SESSION, State.IN_DOUBT, State.SUCCEEDED, State.REFUSED]
)
async def test_a_hint_is_kept_and_changes_nothing(database: Database, before: State) -> None:
    """Probable outcomes never become a result; they are kept for the operator who decides."""
    payment_id = await _made(database, before)
    earlier = await snapshots.payment(database, payment_id)

    assert await prove(database, payment_id, None) == earlier

    (row,) = await rows(database, "SELECT source, proves FROM evidence WHERE payment_id = :id", id=payment_id)
    assert tuple(row) == ("gateway", None)
    assert (await history(database, payment_id))[-1] == ("evidence", before)


async def _made(database: Database, state: State, **changes: Any) -> str:
    match state:
        case State.QUEUED:
            return await queued(database, **changes)
        case State.IN_SESSION:
            return (await in_session(database, **changes)).payment.id
        case State.IN_DOUBT:
            return (await in_doubt(database, **changes)).payment.id
        case State.SUCCEEDED:
            return (await succeeded(database, **changes)).id
        case State.REFUSED:
            return (await refused(database, **changes)).id
        case State.ABORTED:
            return (await ended(database, Event.ANSWERED_ABORTED, **changes)).id
        case State.UNREACHABLE:
            return (await ended(database, Event.NOT_SENT, **changes)).id
        case State.EXPIRED:
            payment_id = await queued(database, deadline_seconds=0, **changes)
            assert await expire(database, payment_id) is not None
            return payment_id
        case State.CANCELLED:
            payment_id = await queued(database, **changes)
            assert await cancel(database, payment_id, Reason.CALLER) is not None
            return payment_id


async def test_a_hint_before_the_doubt_does_not_settle_it(database: Database) -> None:
    """Only proofs are consulted when doubt begins."""
    claimed = await in_session(database)
    await prove(database, claimed.payment.id, None, PAID)

    assert (await lose(database, claimed)).state is State.IN_DOUBT


@pytest.mark.parametrize(
    "state", [State.REFUSED, State.ABORTED, State.UNREACHABLE, State.EXPIRED, State.CANCELLED]
)
async def test_moved_money_conflicts_with_a_failure(database: Database, state: State) -> None:
    """The state stays, the flag is set, a retry is no longer safe, the order is locked for review."""
    payment_id = await _made(database, state)
    earlier = await stored(database, payment_id)
    assert response_for(earlier).safe_to_retry

    payment = await prove(database, payment_id, Event.PROVED_DONE, PAID)

    assert (payment.state, payment.contradicted, payment.result.paid_cents) == (state, True, None)
    assert not response_for(payment).safe_to_retry
    assert (await history(database, payment_id))[-1] == ("contradiction", state)
    refusal = conflict(await submit(database))
    assert refusal.reason == "key_closed"


async def test_no_attempt_of_a_locked_order_is_safe_to_retry(database: Database) -> None:
    """Neither one that had failed before, nor one that was with a terminal then and fails after."""
    contradicted = await refused(database)
    failed = await refused(database)
    other = await refused(database, order_id="other")
    claimed = await in_session(database)
    await prove(database, contradicted.id, Event.PROVED_DONE)

    ended_after = await settle(database, claimed, Event.ANSWERED_REFUSED)

    failed_before = await stored(database, failed.id)
    for payment in (failed_before, ended_after):
        assert (payment.state, payment.contradicted, payment.key_closed) == (State.REFUSED, False, True)
        assert not response_for(payment).safe_to_retry
    (told,) = await rows(database, "SELECT body FROM events WHERE payment_id = :id", id=ended_after.id)
    assert json.loads(told.body)["safe_to_retry"] is False
    assert await snapshots.payment(database, other.id) == other


@pytest.mark.parametrize("proof", [Event.PROVED_REFUSED, Event.PROVED_ABORTED])
async def test_a_refusal_conflicts_with_a_success(database: Database, proof: Event) -> None:
    """The reverse is an alarm, too."""
    payment = await succeeded(database)

    contradicted = await prove(database, payment.id, proof)

    assert (contradicted.state, contradicted.contradicted) == (State.SUCCEEDED, True)


async def test_evidence_that_proves_nothing_may_conflict_with_what_is_stored(database: Database) -> None:
    """The amount that came after a success without one, and is another: an alarm, only once it is final."""
    final, doubtful = await succeeded(database), (await in_doubt(database, order_id="other")).payment
    conflict = Evidence(Source.LATE_ANSWER, None, {"finding": "amount_differs"}, conflicts=True)

    payments = [
        await settling.add_evidence(database, one.id, conflict, PAID, brought_by="worker")
        for one in (final, doubtful)
    ]

    assert [(one.state, one.contradicted) for one in payments] == [
        (State.SUCCEEDED, True),
        (State.IN_DOUBT, False),
    ]


async def test_a_proof_that_agrees_is_only_kept(database: Database) -> None:
    """The gateway's record of what we know, or another wording of a failure, is no alarm."""
    success = await succeeded(database, order_id="a")
    failure = await refused(database, order_id="b")

    assert await prove(database, success.id, Event.PROVED_DONE) == success
    assert await prove(database, failure.id, Event.PROVED_ABORTED) == failure


@pytest.mark.parametrize(
    ("proof", "answer"),
    [
        (Event.PROVED_DONE, Event.ANSWERED_REFUSED),
        (Event.PROVED_DONE, Event.NOT_SENT),
        (Event.PROVED_REFUSED, Event.ANSWERED_DONE),
    ],
)
async def test_an_answer_against_an_earlier_proof_conflicts(
    database: Database, proof: Event, answer: Event
) -> None:
    """Whatever the order of evidence and answer."""
    claimed = await in_session(database)
    await prove(database, claimed.payment.id, proof)

    assert (await settle(database, claimed, answer)).contradicted


async def test_an_end_in_the_queue_against_an_earlier_proof_conflicts(database: Database) -> None:
    """'Cancelled' and 'expired' mean that no money moved, so the proofs are read for them as well."""
    first = await queued(database, order_id="a")
    late = await queued(database, order_id="b", deadline_seconds=0)
    for payment_id in (first, late):
        await prove(database, payment_id, Event.PROVED_DONE)

    cancelled = await cancel(database, first, Reason.CALLER)
    expired = await expire(database, late)

    assert cancelled is not None
    assert expired is not None
    assert (cancelled.contradicted, expired.contradicted) == (True, True)


async def test_two_proofs_that_disagree_settle_a_doubt_with_a_conflict(database: Database) -> None:
    """The first is the result, the other an alarm, whichever way round."""
    for order_id, proofs in (
        ("a", (Event.PROVED_REFUSED, Event.PROVED_DONE)),
        ("b", (Event.PROVED_DONE, Event.PROVED_REFUSED)),
    ):
        claimed = await in_session(
            database,
            order_id=order_id,
            host=f"127.0.1.{ord(order_id)}",
            terminal_address=f"127.0.1.{ord(order_id)}:8888",
        )
        for proof in proofs:
            await prove(database, claimed.payment.id, proof)

        assert (await lose(database, claimed)).contradicted


async def test_conflicting_evidence_cancels_the_queued_attempt_of_its_key(database: Database) -> None:
    """In the same commit; what a worker already claimed goes on, another order's attempt too."""
    failed = await refused(database)
    waits = await queued(database)
    other = await queued(database, order_id="other")

    await prove(database, failed.id, Event.PROVED_DONE)

    stopped = await stored(database, waits)
    assert (stopped.state, stopped.reason, stopped.guard_key) == (State.CANCELLED, Reason.KEY_CLOSED, None)
    assert not response_for(stopped).safe_to_retry
    assert await snapshots.states(database, [other]) == {other: State.QUEUED}


async def test_a_claimed_attempt_of_a_locked_order_goes_on(database: Database) -> None:
    """Its bytes may have been sent; its result is stored as always."""
    failed = await refused(database)
    claimed = await in_session(database)

    await prove(database, failed.id, Event.PROVED_DONE)

    assert (await settle(database, claimed, Event.ANSWERED_DONE)).state is State.SUCCEEDED


async def test_evidence_is_stored_masked_and_whole(database: Database) -> None:
    """Its source, what it proves, its detail and the result that it brings are in the row."""
    claimed = await in_session(database)
    evidence = Evidence(Source.OPERATOR, Event.PROVED_DONE, {"operator": "Anna"})

    await settling.add_evidence(database, claimed.payment.id, evidence, PAID, brought_by="Anna")

    (row,) = await rows(database, "SELECT source, proves, brought_by, detail FROM evidence")
    assert (row.source, row.proves, row.brought_by) == ("operator", "proved_done", "Anna")
    assert '"operator":"Anna"' in row.detail
    assert '"authorisation_number":"123456"' in row.detail


@pytest.mark.parametrize("before", [State.IN_SESSION, State.IN_DOUBT, State.REFUSED])
async def test_a_proof_names_its_reporter(database: Database, before: State) -> None:
    """In its own row, in the history of what followed, and in the payment where it settled a doubt."""
    payment_id = await _made(database, before)
    await prove(database, payment_id, Event.PROVED_DONE)
    if before is State.IN_SESSION:
        claimed = await rows(database, "SELECT address, epoch, claim FROM terminal_locks")
        grant = LockGrant(claimed[0].address, claimed[0].epoch, claimed[0].claim, payment_id, "[]")
        lost = Settlement(event=Event.OUTCOME_LOST, reason=Reason.CONNECTION_LOST)
        await settling.doubt(database, grant, payment_id, lost)

    (said,) = await rows(database, "SELECT brought_by FROM evidence")
    assert said.brought_by == "ct_gateway"
    told = await rows(
        database, "SELECT event, detail FROM payment_events WHERE payment_id = :id ORDER BY id", id=payment_id
    )
    follows = "contradiction" if before is State.REFUSED else "proved_done"
    for event in ("evidence", follows):
        (detail,) = [json.loads(row.detail) for row in told if row.event == event]
        assert detail["brought_by"] == "ct_gateway"
    payment = await stored(database, payment_id)
    assert payment.proved_by == (None if before is State.REFUSED else "ct_gateway")


async def test_a_late_answer_names_the_worker_of_its_run(database: Database) -> None:
    """The one that claimed the payment, although another one has taken its lock over."""
    claimed = await in_doubt(database)
    await taken_over(database, claimed.grant)

    settled = await settle(database, claimed, Event.ANSWERED_DONE)

    assert (settled.resolved_by, settled.proved_by) == ("late_answer", WORKER)


async def test_a_proved_reversal_releases_the_order_as_doubt_begins(database: Database) -> None:
    """The order may be debited again, whichever evidence of the reversal's success came first."""
    debit = await succeeded(database)
    claimed = await in_session(database, operation=Operation.REVERSAL)
    await prove(database, claimed.payment.id, Event.PROVED_DONE)
    await lose(database, claimed)

    assert await rows(database, "SELECT guard_key FROM payments WHERE id = :id", id=debit.id) == [(None,)]


async def test_old_evidence_rows_without_a_result_still_settle(database: Database) -> None:
    """A proof's detail may hold nothing of a result."""
    claimed = await in_session(database)
    await change(
        database,
        "INSERT INTO evidence (payment_id, at, source, proves, detail)"
        " VALUES (:id, 0, 'gateway', 'proved_done', :detail)",
        id=claimed.payment.id,
        detail="{}",
    )

    assert (await lose(database, claimed)).state is State.SUCCEEDED
