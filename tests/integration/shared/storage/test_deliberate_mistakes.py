"""Deliberate mistakes in the order of locks, writes and reads, each applied and seen.

One interleaving of two connections a mistake: with the product as it is everything is in order, with the
mistake something is wrong. `make mutations` runs these after those that the simulation sees.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from payments import (
    TERMS,
    in_session,
    lose,
    new_payment,
    prove,
    refused,
    rows,
    submit,
    submit_by_statements,
    succeeded,
)
from races.giving_back import GIVING_BACK
from races.interleaving import finished_or_blocked, outcome_of, paused_before, paused_before_commit, running
from races.race import Race
from races.stored import STORED

from shared.payment.debit_choice import KnownDebit
from shared.payment.payment import Operation, Payment
from shared.payment.states import Event, State
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments import acceptance, debits, ending, insertion, settling, snapshots
from shared.storage.payments.acceptance import find_earlier
from shared.storage.payments.new_payment import Accepted, NewPayment

# What happens, and what is wrong with it in the end


async def doubt_during_evidence(one: Database, two: Database) -> list[str]:
    """A proof is stored and not yet committed when the session's outcome is lost."""
    claimed = await in_session(one)
    payment_id = claimed.payment.id
    with paused_before_commit(one) as pause:
        async with running(prove(one, payment_id, Event.PROVED_DONE)) as evidence:
            await pause.reached()
            async with running(lose(two, claimed)) as doubt:
                await finished_or_blocked(two, doubt)
                pause.go()
                await outcome_of(evidence)
                await outcome_of(doubt)
    return await _lost_proofs(one, payment_id)


async def evidence_during_doubt(one: Database, two: Database) -> list[str]:
    """A proof is stored while the doubt stands before its update."""
    claimed = await in_session(one)
    payment_id = claimed.payment.id
    with paused_before(one, ending._MOVE) as pause:
        async with running(lose(one, claimed)) as doubt:
            await pause.reached()
            async with running(prove(two, payment_id, Event.PROVED_DONE)) as evidence:
                await finished_or_blocked(two, evidence)
                pause.go()
                await outcome_of(evidence)
                await outcome_of(doubt)
    return await _lost_proofs(one, payment_id)


async def _lost_proofs(database: Database, payment_id: str) -> list[str]:
    payment = await snapshots.payment(database, payment_id)
    assert payment is not None
    return [] if payment.state is State.SUCCEEDED else [f"{payment.state}, and its success was proved"]


async def two_credits_at_once(one: Database, two: Database) -> list[str]:
    """6 of 10 euros go back, and 5 more while the first credit is not yet committed."""
    await succeeded(one)
    credit = Operation.CREDIT
    with paused_before_commit(one) as pause:
        async with running(submit(one, operation=credit, amount_cents=600)) as first:
            await pause.reached()
            async with running(submit(two, operation=credit, amount_cents=500)) as second:
                await finished_or_blocked(two, second)
                pause.go()
                answers = await outcome_of(first), await outcome_of(second)
    assert isinstance(answers[0], Accepted)
    return ["more goes back than was paid"] if isinstance(answers[1], Accepted) else []


async def insert_during_conflict(one: Database, two: Database) -> list[str]:
    """An order is locked for review, not yet committed, when another attempt of it comes."""
    failed = await refused(one)
    with paused_before_commit(one) as pause:
        async with running(prove(one, failed.id, Event.PROVED_DONE)) as conflict:
            await pause.reached()
            async with running(submit(two)) as insert:
                await finished_or_blocked(two, insert)
                pause.go()
                await outcome_of(conflict)
                await outcome_of(insert)
    return await _live_attempts(one)


async def conflict_before_insert(one: Database, two: Database) -> list[str]:
    """A process stops before its insert while another attempt runs, fails and gets conflicting evidence."""
    await succeeded(one, order_id="creates the lock")
    with paused_before(one, insertion._INSERT) as pause:
        async with running(submit_by_statements(one)) as insert:
            await pause.reached()
            failed = await outcome_of(refused(two))
            await outcome_of(prove(two, failed.id, Event.PROVED_DONE))
            pause.go()
            await outcome_of(insert)
    return await _live_attempts(one)


async def no_address_during_insert(one: Database, two: Database) -> list[str]:
    """An order is stored, not yet committed, when it comes again and its terminal's name has no address."""
    with paused_before_commit(one) as pause:
        async with running(submit(one)) as first:
            await pause.reached()
            async with running(submit(two, terminal_address=None)) as again:
                await finished_or_blocked(two, again)
                pause.go()
                await outcome_of(first)
                answer = await outcome_of(again)
    return ["answered safe to retry, and queued"] if isinstance(answer, Accepted) else []


async def refused_during_insert(one: Database, two: Database) -> list[str]:
    """The same where the second request is to be refused."""
    with paused_before_commit(one) as pause:
        async with running(submit(one)) as first:
            await pause.reached()
            async with running(find_earlier(two, new_payment(), TERMS)) as again:
                await finished_or_blocked(two, again)
                pause.go()
                await outcome_of(first)
                answer = await outcome_of(again)
    return ["answered safe to retry, and queued"] if answer is None else []


async def _live_attempts(database: Database) -> list[str]:
    live = await rows(
        database, "SELECT state FROM payments WHERE order_id = 'order-1' AND guard_key IS NOT NULL"
    )
    return [f"{row.state}, and its order is locked" for row in live]


# The mistakes


@contextmanager
def evidence_without_lock() -> Iterator[None]:
    """Evidence reads the payment and is stored before it waits for any lock."""

    async def lock_nothing(_tx: Transaction, _payment_id: str) -> None:
        return None

    with patch.object(settling, "lock", lock_nothing):
        yield


@contextmanager
def proofs_read_before_the_doubt() -> Iterator[None]:
    """Doubt reads the proofs first, and updates the payment afterwards."""
    move, settle = ending.move, ending._settle_by_proof
    proved: set[str] = set()

    async def look_and_move(
        tx: Transaction, payment_id: str, *arguments: Any, **named: Any
    ) -> Payment | None:
        if await tx.all(ending._PROOFS, payment_id=payment_id):
            proved.add(payment_id)
        return await move(tx, payment_id, *arguments, **named)

    async def settle_by_what_was_seen(tx: Transaction, payment: Payment) -> Payment:
        return await settle(tx, payment) if payment.id in proved else payment

    with (
        patch.object(settling, "move", look_and_move),
        patch.object(ending, "_settle_by_proof", settle_by_what_was_seen),
    ):
        yield


@contextmanager
def related_operations_read_while_locking() -> Iterator[None]:
    """One statement locks the debit and reads its credits: as they were before it waited for the lock."""
    lock, read = debits.lock, debits.read
    seen: list[KnownDebit] = []

    async def lock_and_read(tx: Transaction, *arguments: Any) -> list[str]:
        with patch.object(debits, "_LOCK", Statement(debits._CAN_BE_MEANT)):
            seen[:] = await read(tx, await lock(tx, *arguments))
        return await lock(tx, *arguments)

    async def what_was_seen(tx: Transaction, ids: Sequence[str]) -> list[KnownDebit]:
        before = {known.debit.id: known.followers for known in seen}
        return [KnownDebit(known.debit, before[known.debit.id]) for known in await read(tx, ids)]

    with patch.object(debits, "lock", lock_and_read), patch.object(debits, "read", what_was_seen):
        yield


#: Locks nothing, and finds no attempt that could get conflicting evidence.
_NO_ATTEMPTS = Statement(
    "SELECT id FROM payments WHERE merchant_id = :merchant_id AND operation_key = :operation_key"
    " AND id = :id AND id <> :id"
)


def attempts_not_locked() -> AbstractContextManager[object]:
    """An insert locks no other attempt of its key and does not look at the key again."""
    return patch.object(insertion, "_LOCK_ATTEMPTS", _NO_ATTEMPTS)


@contextmanager
def attempts_locked_before_the_insert() -> Iterator[None]:
    """An attempt that is stored between the lock and the insert is neither locked nor read."""
    lock_attempts, insert_row = insertion._LOCK_ATTEMPTS, insertion._insert_row

    async def lock_and_insert(
        tx: Transaction, new: NewPayment, key: str, debit_id: str | None
    ) -> Accepted | None:
        named = {"merchant_id": new.merchant_id, "operation_key": key}
        await tx.all(lock_attempts, **named, id=new.id)
        locked = await tx.one(insertion._LOCKED_ATTEMPT, **named)
        if locked is not None:
            raise insertion.OrderLocked(locked.id)
        return await insert_row(tx, new, key, debit_id)

    with attempts_not_locked(), patch.object(insertion, "_insert_row", lock_and_insert):
        yield


def no_address_without_key() -> AbstractContextManager[object]:
    """A payment that was never queued is stored without its key, and waits for no other."""
    words = insertion._INSERT.on("postgresql")
    key = "CASE WHEN CAST(:terminal_address AS TEXT) IS NULL THEN NULL ELSE CAST(:guard_key AS TEXT) END,"
    return patch.object(insertion, "_INSERT", Statement(words.replace(":guard_key,", key)))


@contextmanager
def looked_at_before_a_refusal() -> Iterator[None]:
    """A refusal reads the attempt that blocks it, and waits for none that is being stored."""

    insert = insertion.insert

    async def insert_or_look(
        tx: Transaction, new: NewPayment, life_ms: int | None, *, is_stored: bool = True
    ) -> Any:
        if is_stored:
            return await insert(tx, new, life_ms)
        key = insertion._key(new, None)
        found = await tx.one(acceptance._BLOCKING_ATTEMPT, merchant_id=new.merchant_id, guard_key=key)
        return Accepted(new.id, State.QUEUED) if found is None else insertion.Blocked(key)

    with patch.object(insertion, "insert", insert_or_look):
        yield


RACES = {
    "evidence does not lock first": Race(evidence_without_lock, doubt_during_evidence),
    "proofs read before the doubt is stored": Race(proofs_read_before_the_doubt, evidence_during_doubt),
    "siblings read in the locking statement": Race(
        related_operations_read_while_locking, two_credits_at_once
    ),
    "an insert that misses a locked order": Race(attempts_not_locked, insert_during_conflict),
    "no address stored without its key": Race(no_address_without_key, no_address_during_insert),
    "a refusal that only looks": Race(looked_at_before_a_refusal, refused_during_insert),
    "the key looked at before the insert": Race(attempts_locked_before_the_insert, conflict_before_insert),
    **GIVING_BACK,
    **STORED,
}


@pytest.mark.parametrize("name", RACES)
async def test_two_transactions_at_once_are_in_order(
    postgres_database: Database, second_postgres_database: Database, name: str
) -> None:
    """The product as it is does nothing wrong in any of them."""
    assert await RACES[name].scenario(postgres_database, second_postgres_database) == []


@pytest.mark.parametrize("name", RACES)
async def test_a_deliberate_mistake_is_seen_by_the_same_interleaving(
    postgres_database: Database, second_postgres_database: Database, name: str
) -> None:
    """The interleaving is worth nothing where it cannot see the mistake that it is for."""
    race = RACES[name]

    with race.mistake():
        wrongs = await race.scenario(postgres_database, second_postgres_database)

    assert wrongs != []
