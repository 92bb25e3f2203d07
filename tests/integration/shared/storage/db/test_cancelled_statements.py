"""The server cancels a statement: nothing of its transaction is stored, and the next try stores it whole."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from databases import Store
from payments import WORKER, change, history, in_doubt, in_session, queued, rows, try_claim
from races.cancelled_statements import (
    BY_HAND,
    BY_LOCK_TIMEOUT,
    BY_STATEMENT_TIMEOUT,
    Trouble,
    timeouts_set,
    troubled,
)

from shared.payment.payment import Reason, Settlement
from shared.payment.states import Event, State
from shared.storage.db.engine import (
    CommitUnknown,
    Database,
    DatabaseBusy,
    DatabaseUnavailable,
    StatementCancelled,
    StatementError,
)
from shared.storage.payments import claims, settling
from shared.storage.payments.claims import Claimed
from shared.storage.terminals import takeover
from shared.storage.terminals.heartbeats import Heartbeats
from shared.storage.terminals.locks import ObservedCapabilities
from shared.storage.terminals.takeover import HeldLock

DONE = Settlement(event=Event.ANSWERED_DONE)
LOST = Settlement(event=Event.OUTCOME_LOST, reason=Reason.CONNECTION_LOST)


@dataclass(frozen=True)
class Step:
    """One transaction of a payment: the state it begins in, what is done, how often its history grows."""

    begin: Callable[..., Awaitable[Any]]
    carry_out: Callable[[Database, Heartbeats, Any], Awaitable[Any]]
    state: State
    events: int


async def _queued(database: Database, **changes: Any) -> str:
    return await queued(database, **changes)


async def _claim(database: Database, _: Heartbeats, payment_id: str) -> object:
    return await try_claim(database, payment_id)


async def _claim_by_statements(database: Database, _: Heartbeats, payment_id: str) -> object:
    token = f"token of {payment_id}"
    return await claims._claim_by_statements(
        database, payment_id, worker=WORKER, token=token, lease_seconds=335
    )


async def _settle(database: Database, _: Heartbeats, claimed: Claimed) -> object:
    return await settling.settle(
        database, claimed.grant, claimed.payment, DONE, ObservedCapabilities(echoes="[]")
    )


async def _settle_and_keep(database: Database, _: Heartbeats, claimed: Claimed) -> object:
    return await settling.settle(
        database, claimed.grant, claimed.payment, DONE, ObservedCapabilities(echoes="[]"), keep_lock=True
    )


async def _doubt(database: Database, _: Heartbeats, claimed: Claimed) -> object:
    return await settling.doubt(database, claimed.grant, claimed.payment.id, LOST)


async def _release(database: Database, _: Heartbeats, claimed: Claimed) -> object:
    return await settling.release(
        database, claimed.grant, ObservedCapabilities(identify_first=True), why="time is over"
    )


def _lock(claimed: Claimed) -> HeldLock:
    grant = claimed.grant
    return HeldLock(grant.address, "worker-1", grant.epoch, grant.token)


async def _take_over(database: Database, heartbeats: Heartbeats, claimed: Claimed) -> object:
    return await takeover.take_over(
        database,
        heartbeats,
        _lock(claimed),
        seen_counter=None,
        worker="worker-2",
        token=f"new owner of {claimed.payment.id}",
        lease_seconds=335,
    )


async def _take_back(database: Database, _: Heartbeats, claimed: Claimed) -> object:
    return await takeover.take_back(
        database, _lock(claimed), token=f"new owner of {claimed.payment.id}", lease_seconds=335
    )


STEPS = {
    "claim": Step(_queued, _claim, State.IN_SESSION, 1),
    "claim by statements": Step(_queued, _claim_by_statements, State.IN_SESSION, 1),
    "settle": Step(in_session, _settle, State.SUCCEEDED, 1),
    "settle and keep the lock": Step(in_session, _settle_and_keep, State.SUCCEEDED, 1),
    "doubt": Step(in_session, _doubt, State.IN_DOUBT, 1),
    "release": Step(in_doubt, _release, State.IN_DOUBT, 1),
    "takeover": Step(in_session, _take_over, State.IN_DOUBT, 1),
    "takeover of one's own": Step(in_session, _take_back, State.IN_DOUBT, 1),
}


@pytest.fixture
async def limited(postgres_database: Database, postgres_store: Store) -> AsyncIterator[Database]:
    """A process's connections on a server that sets both time-outs."""
    async with timeouts_set(postgres_database, statement="500ms", lock="200ms"):
        database = postgres_store.open()
        yield database
        await database.close()


@pytest.mark.parametrize("step", STEPS.values(), ids=list(STEPS))
async def test_a_transaction_with_a_cancelled_statement_stores_nothing_and_can_be_repeated(
    step: Step, limited: Database, postgres_database: Database
) -> None:
    """Each of its statements, by `statement_timeout`, `lock_timeout` and an administrator."""
    with troubled(limited) as troubles:
        clean = Trouble()
        await _carry_out(step, limited, postgres_database, troubles, 0, clean)
        cases = [
            Trouble(at=at, instead=instead)
            for at in range(len(clean.sent))
            for instead in (BY_HAND, BY_STATEMENT_TIMEOUT, BY_LOCK_TIMEOUT)
        ]
        assert len(cases) >= 3
        # The calls of a function would go together.
        at_once = asyncio.Semaphore(1 if len(clean.sent) == 1 else len(cases))

        async def carry_out(number: int, trouble: Trouble) -> None:
            async with at_once:
                await _carry_out(step, limited, postgres_database, troubles, number, trouble)

        await asyncio.gather(*(carry_out(number, trouble) for number, trouble in enumerate(cases, start=1)))


async def _carry_out(
    step: Step,
    limited: Database,
    database: Database,
    troubles: dict[str, Trouble],
    number: int,
    trouble: Trouble,
) -> None:
    terminal_address = f"127.0.1.{number}:8888"
    given = await step.begin(
        database, order_id=f"order-{number}", host=f"127.0.1.{number}", terminal_address=terminal_address
    )
    payment_id = given if isinstance(given, str) else given.payment.id
    before = await _stored(database, payment_id, terminal_address)
    troubles[payment_id] = troubles[terminal_address] = trouble

    if trouble.at < 1_000_000:
        while not trouble.cancelled:  # on a busy machine a time-out may cancel an earlier statement
            trouble.sent.clear()
            with pytest.raises((StatementCancelled, DatabaseBusy)):
                await step.carry_out(limited, Heartbeats(database), given)
        assert trouble.cancelled == 1
        assert await _stored(database, payment_id, terminal_address) == before
    while True:
        trouble.sent.clear()
        try:
            await step.carry_out(limited, Heartbeats(database), given)
            break
        except DatabaseUnavailable:  # a busy machine is slower than the time-outs
            continue

    payment, _, events = await _stored(database, payment_id, terminal_address)
    assert payment.state == step.state
    assert len(events) == len(before[2]) + step.events


async def _stored(database: Database, payment_id: str, terminal_address: str) -> tuple[Any, Any, Any]:
    (payment,) = await rows(database, "SELECT * FROM payments WHERE id = :id", id=payment_id)
    (held,) = await rows(
        database,
        "SELECT * FROM terminal_locks WHERE address = :terminal_address",
        terminal_address=terminal_address,
    )
    return payment, held, await history(database, payment_id)


async def test_a_cancelled_read_can_be_repeated(limited: Database) -> None:
    """Not an error of the code, whichever of the time-outs it was."""
    for statement in (BY_HAND, BY_STATEMENT_TIMEOUT, BY_LOCK_TIMEOUT):
        with pytest.raises(StatementCancelled):
            await rows(limited, statement)
    assert [row.one for row in await rows(limited, "SELECT 1 AS one")] == [1]


async def test_a_commit_that_is_cancelled_is_read_back(
    limited: Database, postgres_database: Database
) -> None:
    """By an administrator, in the middle of it: the outcome is unknown, and the connection works on."""
    await change(
        postgres_database,
        "CREATE FUNCTION cancelled_commit() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_cancel_backend(pg_backend_pid()), pg_sleep(60); RETURN NULL; END'",
    )
    await change(
        postgres_database,
        "CREATE CONSTRAINT TRIGGER cancelled_commit AFTER INSERT ON terminal_locks DEFERRABLE INITIALLY"
        " DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION cancelled_commit()",
    )
    try:
        with pytest.raises(CommitUnknown):
            await change(limited, "INSERT INTO terminal_locks (address) VALUES ('127.0.1.1:8888')")
    finally:
        await change(postgres_database, "DROP TRIGGER cancelled_commit ON terminal_locks")
        await change(postgres_database, "DROP FUNCTION cancelled_commit()")

    assert await rows(limited, "SELECT address FROM terminal_locks") == []


async def test_a_failing_wake_up_after_a_commit_cannot_undo_it(database: Database) -> None:
    """A wake-up that fails is logged: the transaction is stored, and its result returned."""

    def fails(_: object) -> None:
        raise OSError

    database.on_committed = fails

    payment_id = await queued(database, notifies_hipay=True)

    assert len(await rows(database, "SELECT id FROM payments WHERE id = :id", id=payment_id)) == 1


async def test_a_wrong_statement_is_not_a_cancelled_one(database: Database) -> None:
    """Errors of the code stay what they are."""
    with pytest.raises(StatementError):
        await rows(database, "SELECT no_such_column FROM terminal_locks")
