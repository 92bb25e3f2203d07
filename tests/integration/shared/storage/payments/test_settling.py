"""Results of a session: an answer, doubt, 'not sent', the end of the lease; on both databases."""

from dataclasses import replace

import pytest
from in_memory.stored_payments import FULL_RESULT
from payments import (
    ADDRESS,
    accepted,
    doubted_by_another,
    history,
    holder,
    in_doubt,
    in_session,
    lose,
    prove,
    queued,
    rows,
    stored,
    submit,
    succeeded,
    taken_over,
    try_claim,
)

from shared.payment.evidence import Evidence, Source
from shared.payment.payment import Operation, Payment, Reason, Result, Settlement
from shared.payment.states import Event, State
from shared.storage.db.engine import Database
from shared.storage.payments import snapshots
from shared.storage.payments.claims import Claimed
from shared.storage.payments.settling import add_evidence, doubt, release, settle
from shared.storage.terminals.locks import ObservedCapabilities

NOT_SENT = Settlement(event=Event.NOT_SENT, reason=Reason.NOT_SENT)
DONE = Settlement(event=Event.ANSWERED_DONE, result=FULL_RESULT)
REFUSED = Settlement(event=Event.ANSWERED_REFUSED, result=FULL_RESULT)


async def _settle(
    database: Database, claimed: Claimed, settlement: Settlement, echoes: str | None = None
) -> Payment:
    return await settle(
        database, claimed.grant, claimed.payment, settlement, ObservedCapabilities(echoes=echoes)
    )


async def _evidence(database: Database, payment_id: str) -> list[tuple[str, str | None]]:
    found = await rows(
        database, "SELECT source, proves FROM evidence WHERE payment_id = :id ORDER BY id", id=payment_id
    )
    return [(row.source, row.proves) for row in found]


@pytest.mark.parametrize(
    ("event", "reason", "state"),
    [
        (Event.ANSWERED_DONE, None, State.SUCCEEDED),
        (Event.ANSWERED_REFUSED, None, State.REFUSED),
        (Event.ANSWERED_ABORTED, None, State.ABORTED),
        (Event.ANSWERED_BUSY, Reason.BUSY, State.UNREACHABLE),
        (Event.NOT_SENT, Reason.NO_CONNECTION, State.UNREACHABLE),
    ],
)
async def test_an_answer_ends_the_payment_and_releases_the_lock_at_once(
    database: Database, event: Event, reason: Reason | None, state: State
) -> None:
    """State, reason and end are stored, and the lock is free for the next payment, its epoch raised."""
    claimed = await in_session(database)

    settled = await _settle(database, claimed, Settlement(event=event, reason=reason))

    assert (settled.state, settled.reason) == (state, reason)
    assert settled.ended_at is not None
    assert (settled.guard_key is not None) is (state is State.SUCCEEDED)
    assert await snapshots.payment(database, settled.id) == settled
    (lock,) = await rows(
        database, "SELECT held_by, worker, claim, acquired_at, lease_until, epoch FROM terminal_locks"
    )
    assert tuple(lock) == (None, None, None, None, None, claimed.grant.epoch + 1)
    assert await history(database, settled.id) == [
        ("accepted", State.QUEUED),
        ("claimed", State.IN_SESSION),
        (event, state),
    ]


async def test_every_field_of_the_result_is_stored(database: Database) -> None:
    """The terminal's answer is in the row, its warnings after those of the acceptance."""
    claimed = await in_session(database, warnings=("amount_string",))

    settled = await _settle(database, claimed, DONE)

    assert settled.result == replace(FULL_RESULT, warnings=("amount_string", "partial_amount"))


async def test_a_complete_answer_stores_the_echoes_of_the_terminal(database: Database) -> None:
    """The next grant reads them; a session without a complete answer leaves them as they were."""
    claimed = await in_session(database, order_id="a")
    assert claimed.grant.echoes == "[]"
    await _settle(database, claimed, DONE, echoes='[["CA","CB"]]')
    second = await in_session(database, order_id="b")
    assert second.grant.echoes == '[["CA","CB"]]'
    (lock,) = await rows(database, "SELECT answered_at FROM terminal_locks")
    await _settle(database, second, NOT_SENT)

    assert (await in_session(database, order_id="c")).grant.echoes == '[["CA","CB"]]'
    assert await rows(database, "SELECT answered_at FROM terminal_locks") == [lock]
    assert lock.answered_at is not None


async def test_settling_twice_changes_nothing_the_second_time(database: Database) -> None:
    """After a commit whose answer was lost the run stores its result again."""
    claimed = await in_session(database)
    first = await _settle(database, claimed, DONE)
    await in_session(database, order_id="next")

    again = await _settle(database, claimed, DONE)

    assert again == first
    assert len(await history(database, first.id)) == 3
    assert await _evidence(database, first.id) == []
    assert await holder(database) != first.id


async def test_a_result_after_a_takeover_is_evidence(database: Database) -> None:
    """The late write changes the payment only: the lock stays with its new owner."""
    claimed = await doubted_by_another(database)

    settled = await _settle(database, claimed, DONE)

    assert settled.state is State.SUCCEEDED
    assert (settled.result.paid_cents, settled.result.receipt) == (900, FULL_RESULT.receipt)
    assert await _evidence(database, settled.id) == [("late_answer", Event.PROVED_DONE)]
    assert await holder(database) == settled.id


async def test_a_late_result_before_the_new_owners_doubt_settles_it_when_it_begins(
    database: Database,
) -> None:
    """It is stored between the takeover and the doubt, and read when the doubt begins."""
    claimed = await in_session(database, warnings=("amount_string",))
    await taken_over(database, claimed.grant)
    kept = await _settle(database, claimed, DONE)
    assert kept.state is State.IN_SESSION

    settled = await lose(database, claimed)

    assert settled.state is State.SUCCEEDED
    assert (settled.result.paid_cents, settled.result.receipt) == (900, FULL_RESULT.receipt)
    assert settled.result.warnings == ("amount_string", "partial_amount")


async def test_a_late_busy_proves_nothing(database: Database) -> None:
    """It is kept as a hint and the payment stays in doubt."""
    claimed = await doubted_by_another(database)

    settled = await _settle(database, claimed, Settlement(event=Event.ANSWERED_BUSY, reason=Reason.BUSY))

    assert settled.state is State.IN_DOUBT
    assert await _evidence(database, settled.id) == [("late_answer", None)]


async def test_a_late_result_conflicts_with_an_operators_decision(database: Database) -> None:
    """An operator decided 'not charged', then the old session's answer says it was."""
    claimed = await doubted_by_another(database)
    await prove(database, claimed.payment.id, Event.PROVED_ABORTED)

    settled = await _settle(database, claimed, DONE)

    assert (settled.state, settled.contradicted) == (State.ABORTED, True)


async def test_not_sent_ends_a_doubt_by_the_run_that_claimed_it(database: Database) -> None:
    """A new owner doubted it, and the run itself knows that it never wrote; the new owner keeps the lock."""
    claimed = await doubted_by_another(database)

    settled = await _settle(database, claimed, NOT_SENT)

    assert (settled.state, settled.reason, settled.guard_key) == (State.UNREACHABLE, Reason.NOT_SENT, None)
    assert await holder(database) == settled.id
    assert accepted(await submit(database))


async def test_not_sent_by_another_run_changes_nothing(database: Database) -> None:
    """Only the very run that claimed the payment knows whether it wrote."""
    claimed = await in_doubt(database)
    stranger = replace(claimed.grant, epoch=claimed.grant.epoch + 1, token="another run's token")

    settled = await settle(database, stranger, claimed.payment, NOT_SENT, ObservedCapabilities())

    assert settled.state is State.IN_DOUBT
    assert await holder(database) == claimed.payment.id
    assert await _evidence(database, settled.id) == []


@pytest.mark.parametrize("source", [Source.OPERATOR, Source.GATEWAY, Source.ENQUIRY])
async def test_not_sent_conflicts_with_a_success(database: Database, source: Source) -> None:
    """A run wakes and knows that no byte was sent, after an operator decided 'charged'."""
    claimed = await doubted_by_another(database)
    said = Evidence(source, Event.PROVED_DONE)
    await add_evidence(database, claimed.payment.id, said, Result(), brought_by="Anna")

    settled = await _settle(database, claimed, NOT_SENT)

    assert (settled.state, settled.contradicted) == (State.SUCCEEDED, True)
    assert await _evidence(database, settled.id) == [(source, "proved_done"), ("worker", "not_sent")]
    assert (await history(database, settled.id))[-1] == ("contradiction", State.SUCCEEDED)
    events = await rows(
        database, "SELECT type FROM events WHERE payment_id = :id ORDER BY number", id=settled.id
    )
    assert events[-1].type == "payment.contradicted"


async def test_not_sent_against_not_charged_is_only_kept(database: Database) -> None:
    """They agree: nothing moved."""
    claimed = await in_session(database)
    await lose(database, claimed)
    await prove(database, claimed.payment.id, Event.PROVED_ABORTED)

    settled = await _settle(database, claimed, NOT_SENT)

    assert (settled.state, settled.contradicted) == (State.ABORTED, False)
    assert (await _evidence(database, settled.id))[-1] == ("worker", "not_sent")


@pytest.mark.parametrize("settlement", [NOT_SENT, REFUSED])
async def test_the_evidence_of_a_late_run_is_stored_once(database: Database, settlement: Settlement) -> None:
    """Its commit's answer was lost, so it repeats it: one piece of evidence, one alarm."""
    claimed = await doubted_by_another(database)
    await prove(database, claimed.payment.id, Event.PROVED_DONE)

    first = await _settle(database, claimed, settlement)

    assert await _settle(database, claimed, settlement) == first
    assert len(await _evidence(database, first.id)) == 2
    assert [event for event, _ in await history(database, first.id)].count("contradiction") == 1


async def test_a_late_success_beside_anothers_proof_is_kept(database: Database) -> None:
    """The gateway had reported it already; the terminal's own answer is stored as evidence all the same."""
    claimed = await doubted_by_another(database)
    await prove(database, claimed.payment.id, Event.PROVED_DONE)

    settled = await _settle(database, claimed, DONE)

    assert (settled.state, settled.contradicted) == (State.SUCCEEDED, False)
    assert (await _evidence(database, settled.id))[-1] == ("late_answer", "proved_done")


async def test_a_doubt_keeps_its_terminal_lock(database: Database) -> None:
    """The lock stays with its run, the guard blocks other attempts, and the reason is stored."""
    claimed = await in_session(database)
    settlement = Settlement(event=Event.OUTCOME_LOST, reason=Reason.ANSWER_TIMEOUT, detail={"bytes": 0})

    payment = await doubt(database, claimed.grant, claimed.payment.id, settlement)

    assert (payment.state, payment.reason, payment.ended_at) == (State.IN_DOUBT, Reason.ANSWER_TIMEOUT, None)
    assert payment.guard_key is not None
    (lock,) = await rows(database, "SELECT held_by, epoch, claim FROM terminal_locks")
    assert tuple(lock) == (payment.id, claimed.grant.epoch, claimed.grant.token)
    assert (await history(database, payment.id))[-1] == ("outcome_lost", State.IN_DOUBT)


async def test_doubting_what_is_settled_changes_nothing(database: Database) -> None:
    """A doubt that was decided late finds the result."""
    claimed = await in_session(database)
    settled = await _settle(database, claimed, REFUSED)

    assert await lose(database, claimed) == settled


async def test_the_end_of_the_lease_releases_the_lock_and_leaves_the_doubt(database: Database) -> None:
    """The next payment may use the terminal; the outcome of the old one stays unknown."""
    claimed = await in_doubt(database, order_id="a")
    second = await queued(database, order_id="b")

    assert await release(database, claimed.grant, ObservedCapabilities(), why="time is over")

    assert await holder(database) is None
    assert await snapshots.states(database, [claimed.payment.id]) == {claimed.payment.id: State.IN_DOUBT}
    assert (await history(database, claimed.payment.id))[-1] == ("hold_ended", State.IN_DOUBT)
    assert isinstance(await try_claim(database, second), Claimed)


async def test_a_lease_ends_once_and_by_its_holder_only(database: Database) -> None:
    """After a takeover, and a second time, nothing is released."""
    first = await in_doubt(database, order_id="a")
    await taken_over(database, first.grant)
    assert not await release(database, first.grant, ObservedCapabilities(), why="time is over")
    assert await holder(database) == first.payment.id

    elsewhere = {"host": "127.0.0.10", "terminal_address": "127.0.0.10:8888"}
    second = await in_doubt(database, order_id="b", **elsewhere)
    assert await release(database, second.grant, ObservedCapabilities(), why="time is over")
    third = await in_session(database, order_id="c", **elsewhere)
    assert not await release(database, second.grant, ObservedCapabilities(), why="time is over")
    assert await holder(database, "127.0.0.10:8888") == third.payment.id


async def test_a_wrong_epoch_or_token_releases_nothing(database: Database) -> None:
    """Both epoch and token must match the lock."""
    claimed = await in_doubt(database)

    assert not await release(
        database,
        replace(claimed.grant, token="another run's token"),
        ObservedCapabilities(),
        why="time is over",
    )
    assert not await release(
        database,
        replace(claimed.grant, epoch=claimed.grant.epoch + 1),
        ObservedCapabilities(),
        why="time is over",
    )
    assert await holder(database, ADDRESS) == claimed.payment.id


async def test_a_reversals_success_releases_its_order_in_the_same_commit(database: Database) -> None:
    """The order may be debited again as soon as the reversal's success is stored."""
    debit = await succeeded(database)
    claimed = await in_session(database, operation=Operation.REVERSAL)

    await _settle(database, claimed, Settlement(event=Event.ANSWERED_DONE))

    reversed_debit = await stored(database, debit.id)
    assert reversed_debit.guard_key is None
