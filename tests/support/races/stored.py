"""Mistakes in what is stored and read around a claim, an answer and an address."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from payments import (
    ADDRESS,
    change,
    in_doubt,
    in_session,
    new_payment,
    prove,
    queued,
    refused,
    rows,
    submit,
    submit_by_statements,
)
from payments import succeeded as pay
from races.interleaving import outcome_of, paused_before, running
from races.race import Race

from shared.payment.payment import Payment, Reason, Settlement
from shared.payment.states import Event, State
from shared.storage.db import engine, statement
from shared.storage.db.connections.connection import Connection
from shared.storage.db.engine import CommitUnknown, Database, DatabaseUnavailable, Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments import acceptance, settling, snapshots
from shared.storage.payments.ending import get
from shared.storage.payments.new_payment import Attached
from shared.storage.payments.rows import payment_of as payment_of_row
from shared.storage.terminals import locks, registry, takeover
from shared.storage.terminals.heartbeats import Heartbeats
from shared.storage.terminals.locks import ObservedCapabilities
from shared.storage.terminals.registry import Entry
from shared.storage.terminals.takeover import HeldLock

_ELSEWHERE = "127.0.0.77:8888"
_NAME = "till.example"


async def locked_for_review_after_the_insert(one: Database, two: Database) -> list[str]:
    """An order's success is contradicted after a second request found it, and before it is read."""
    paid = await pay(one)
    with paused_before(one, acceptance._BLOCKING_ATTEMPT) as pause:
        async with running(submit(one)) as again:
            await pause.reached()
            await outcome_of(prove(two, paid.id, Event.PROVED_ABORTED))
            pause.go()
            answer = await outcome_of(again)
    return ["a contradicted success is replayed"] if isinstance(answer, Attached) else []


async def not_sent_after_a_takeover(one: Database, two: Database) -> list[str]:
    """A worker wakes after its terminal was taken over, and knows that it has sent nothing."""
    claimed = await in_session(one)
    grant = claimed.grant
    taken = await takeover.take_over(
        two,
        Heartbeats(two),
        HeldLock(grant.address, "worker-1", grant.epoch, grant.token),
        seen_counter=None,
        worker="worker-2",
        token="token of worker-2",
        lease_seconds=335,
    )
    assert taken is not None
    not_sent = Settlement(event=Event.NOT_SENT, reason=Reason.NOT_SENT)
    stored = await settling.settle(one, grant, claimed.payment, not_sent, ObservedCapabilities())
    return [] if stored.state is State.UNREACHABLE else [f"nothing was sent, and it is {stored.state}"]


async def commit_cancelled(one: Database, two: Database) -> list[str]:
    """The server answers a COMMIT with 'cancelled': a standby may have it, and so may the server."""
    await queued(two)
    await change(
        two,
        "CREATE FUNCTION cancelled_commit() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_cancel_backend(pg_backend_pid()), pg_sleep(60); RETURN NULL; END'",
    )
    await change(
        two,
        "CREATE CONSTRAINT TRIGGER cancelled_commit AFTER UPDATE ON terminal_locks"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cancelled_commit()",
    )
    try:
        await change(one, "UPDATE terminal_locks SET identify_first = true")
    except CommitUnknown:
        return []
    except DatabaseUnavailable as error:
        return [f"a commit's answer is taken for certain: {type(error).__name__}"]
    finally:
        await change(two, "DROP TRIGGER cancelled_commit ON terminal_locks")
        await change(two, "DROP FUNCTION cancelled_commit()")
    raise AssertionError("the commit was not cancelled")


async def refused_while_another_attempt_runs(one: Database, _: Database) -> list[str]:
    """A refused attempt is read while the order's next attempt is in session."""
    first = await refused(one)
    await in_session(one)
    snapshot = (await snapshots.snapshots(one, [first.id]))[first.id]
    return ["safe to retry, and another attempt runs"] if snapshot.response.safe_to_retry else []


async def _marked(database: Database) -> bool:
    found = await rows(
        database,
        "SELECT address FROM terminal_locks WHERE address = :address AND identify_first",
        address=_ELSEWHERE,
    )
    return bool(found)


async def name_moved_during_a_doubt(one: Database, _: Database) -> list[str]:
    """A terminal's name leads to another address while its payment is in doubt."""
    await in_doubt(one, host=_NAME)
    await submit_by_statements(one, host=_NAME, terminal_address=_ELSEWHERE, order_id="order-2")
    return [] if await _marked(one) else ["the new address may still show the earlier amount"]


async def entry_moved_during_a_doubt(one: Database, _: Database) -> list[str]:
    """The same where the name is in the registry."""
    entry = Entry(
        id="till-1",
        label="",
        shop="",
        host=_NAME,
        port=8888,
        terminal_address=ADDRESS,
        protocol="ConcertV3.2",
        profile="{}",
        pos_number="01",
        authorisation="standard",
        authorisation_above_cents=None,
        sole_use=False,
    )
    await registry.put(one, new_payment().merchant_id, [entry], limit=1)
    await in_doubt(one)
    await registry.update_address(one, new_payment().merchant_id, entry.id, _ELSEWHERE)
    return [] if await _marked(one) else ["the new address may still show the earlier amount"]


@contextmanager
def attached_to_a_locked_order() -> Iterator[None]:
    """Whoever finds the order's attempt is answered with it, though the order is locked for review."""

    def payment_of(row: Any) -> Payment:
        return replace(payment_of_row(row), key_closed=False)

    with patch.object(acceptance, "payment_of", payment_of):
        yield


@contextmanager
def not_sent_dropped() -> Iterator[None]:
    """A run whose terminal was taken over stores answers only."""
    original = settling._settle_late

    async def settle_late(
        tx: Transaction, grant: locks.LockGrant, payment_id: str, settlement: Settlement
    ) -> Payment:
        if settlement.event is Event.NOT_SENT:
            return await get(tx, payment_id)
        return await original(tx, grant, payment_id, settlement)

    with patch.object(settling, "_settle_late", settle_late):
        yield


def cancelled_commit_taken_for_certain() -> AbstractContextManager[object]:
    """A commit that the server cancels counts as a statement that it cancels: nothing is stored."""

    async def commit(connection: Connection) -> None:
        await connection.commit()

    return patch.object(engine, "_commit", commit)


def other_attempts_not_looked_for() -> AbstractContextManager[object]:
    """An attempt that has ended is answered as if it were the only one."""
    words = snapshots._SNAPSHOTS.on("postgresql")
    assert statement._ANOTHER_BLOCKS in words
    alone = Statement(words.replace(statement._ANOTHER_BLOCKS, "FALSE"))
    return patch.object(snapshots, "_SNAPSHOTS", alone)


def new_address_not_marked() -> AbstractContextManager[object]:
    """A payment makes the row of its address, and does not ask where its name led before."""

    async def create_line(tx: Transaction, *, terminal_address: str, **_: Any) -> None:
        await locks.create(tx, terminal_address)

    return patch.object(locks, "create_lock", create_line)


def moved_entry_not_marked() -> AbstractContextManager[object]:
    """An entry follows its name, and nobody asks what its earlier address has to do."""

    async def mark_entry(_: Transaction, **__: Any) -> None:
        return None

    return patch.object(locks, "mark_new_address", mark_entry)


STORED = {
    "a locked order's attempt given as the answer": Race(
        attached_to_a_locked_order, locked_for_review_after_the_insert
    ),
    "nothing sent, and dropped after a takeover": Race(not_sent_dropped, not_sent_after_a_takeover),
    "a cancelled commit taken for certain": Race(cancelled_commit_taken_for_certain, commit_cancelled),
    "another attempt not looked for": Race(other_attempts_not_looked_for, refused_while_another_attempt_runs),
    "a name that moves without a mark": Race(new_address_not_marked, name_moved_during_a_doubt),
    "an entry that moves without a mark": Race(moved_entry_not_marked, entry_moved_during_a_doubt),
}
