"""A refusal that is safe to retry: no attempt of the order is being stored at that moment."""

import pytest
from payments import TERMS, history, new_payment, queued, rows, submit, succeeded
from races.interleaving import finished_or_blocked, outcome_of, paused_before_commit, running

from shared.payment.payment import Operation
from shared.payment.states import State
from shared.storage.db.engine import Database
from shared.storage.payments.acceptance import find_earlier
from shared.storage.payments.new_payment import Accepted, Attached, Conflict, Earlier


async def refuse(database: Database, **changes: object) -> Earlier | None:
    """Return the earlier attempt of a request that will be refused."""
    return await find_earlier(database, new_payment(**changes), TERMS)


@pytest.mark.parametrize("way", ["has no address", "is refused"])
@pytest.mark.parametrize("operation", [Operation.DEBIT, Operation.REVERSAL, Operation.CREDIT])
async def test_an_insert_that_is_not_committed_yet_is_waited_for(
    postgres_database: Database, second_postgres_database: Database, operation: Operation, way: str
) -> None:
    """Neither stored as unreachable nor refused: the equal request attaches to it."""
    with paused_before_commit(postgres_database) as pause:
        asked: dict[str, object] = {"operation": operation, "passes_unknown": True}
        async with running(submit(postgres_database, **asked)) as one:
            await pause.reached()
            answer = (
                submit(second_postgres_database, **asked, terminal_address=None)
                if way == "has no address"
                else refuse(second_postgres_database, **asked)
            )
            async with running(answer) as other:
                assert await finished_or_blocked(second_postgres_database, other)
                pause.go()
                first, second = await outcome_of(one), await outcome_of(other)

    assert isinstance(first, Accepted)
    assert isinstance(second, Attached)
    assert second.payment.id == first.payment_id


@pytest.mark.parametrize(
    "changes", [{"amount_cents": 999}, {"terminal_address": None, "host": "other.example"}]
)
async def test_an_insert_that_is_not_committed_yet_makes_another_operation_a_conflict(
    postgres_database: Database, second_postgres_database: Database, changes: dict[str, object]
) -> None:
    """Another amount or terminal, on its way to a refusal."""
    with paused_before_commit(postgres_database) as pause:
        async with running(submit(postgres_database)) as one:
            await pause.reached()
            async with running(refuse(second_postgres_database, **changes)) as other:
                assert await finished_or_blocked(second_postgres_database, other)
                pause.go()
                await outcome_of(one)
                second = await outcome_of(other)

    assert isinstance(second, Conflict)
    assert second.reason == "different"


async def test_a_request_that_is_refused_leaves_nothing_behind(database: Database) -> None:
    """No payment, no history, no key, no terminal; the next request is the first."""
    assert await refuse(database, idempotency_key="k") is None

    for table in ("payments", "payment_events", "idempotency_keys", "terminal_locks", "deliveries"):
        assert await rows(database, f"SELECT * FROM {table}") == []
    await queued(database)


async def test_a_payment_without_address_blocks_no_other(database: Database) -> None:
    """It ends at once: the order may be tried again, and again."""
    for _ in range(2):
        gone = await submit(database, terminal_address=None)
        assert isinstance(gone, Accepted)
        assert gone.state is State.UNREACHABLE
        assert await history(database, gone.payment_id) == [("accepted", State.UNREACHABLE)]
    assert await rows(database, "SELECT id FROM payments WHERE guard_key IS NOT NULL") == []
    await queued(database)


async def test_a_name_that_is_lost_does_not_hide_a_success(database: Database) -> None:
    """Replayed by the name that was sent; by another one it is a conflict."""
    paid = await succeeded(database)

    same = await submit(database, terminal_address=None)
    assert isinstance(same, Attached)
    assert same.payment.id == paid.id
    other = await submit(database, terminal_address=None, host="other.example")
    assert isinstance(other, Conflict)
    assert (other.reason, other.payment.id) == ("different", paid.id)
