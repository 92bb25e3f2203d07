"""A refusal that is safe to retry: no attempt of the order is being stored at that moment."""

from collections.abc import Coroutine
from typing import Any

import pytest
from payments import (
    TERMS,
    accepted,
    attached,
    conflict,
    history,
    new_payment,
    queued,
    rows,
    submit,
    succeeded,
)
from races.crossing import crossed
from races.interleaving import paused_before_commit

from shared.payment.payment import Operation
from shared.payment.states import State
from shared.storage.db.engine import Database
from shared.storage.payments.acceptance import find_earlier
from shared.storage.payments.new_payment import Accepted, Earlier


async def refuse(database: Database, **changes: object) -> Earlier | None:
    """Return the earlier attempt of a request that will be refused."""
    return await find_earlier(database, new_payment(**changes), TERMS)


@pytest.mark.parametrize("way", ["has no address", "is refused"])
@pytest.mark.parametrize("operation", [Operation.DEBIT, Operation.REVERSAL, Operation.CREDIT])
async def test_an_insert_that_is_not_committed_yet_is_waited_for(
    one: Database, two: Database, operation: Operation, way: str
) -> None:
    """Neither stored as unreachable nor refused: the equal request attaches to it."""
    asked: dict[str, Any] = {"operation": operation, "passes_unknown": True}
    answer: Coroutine[Any, Any, Any] = (
        submit(two, **asked, terminal_address=None) if way == "has no address" else refuse(two, **asked)
    )

    first, second = await crossed(two, paused_before_commit(one), submit(one, **asked), answer)

    assert attached(second).id == accepted(first)


@pytest.mark.parametrize(
    "changes", [{"amount_cents": 999}, {"terminal_address": None, "host": "other.example"}]
)
async def test_an_insert_that_is_not_committed_yet_makes_another_operation_a_conflict(
    one: Database, two: Database, changes: dict[str, object]
) -> None:
    """Another amount or terminal, on its way to a refusal."""
    _, second = await crossed(two, paused_before_commit(one), submit(one), refuse(two, **changes))

    assert conflict(second).reason == "different"


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

    assert attached(await submit(database, terminal_address=None)).id == paid.id
    other = conflict(await submit(database, terminal_address=None, host="other.example"))
    assert (other.reason, other.payment.id) == ("different", paid.id)
