"""Many orders refused at once: only those without any attempt are safe to retry."""

from dataclasses import replace

import pytest
from payments import change, new_payment, queued, rows, submit, succeeded
from races.interleaving import finished_or_blocked, outcome_of, paused_before_commit, running

from shared.payment.order_guard import operation_key
from shared.payment.payment import Operation
from shared.storage.db.engine import Database, DatabaseUnavailable
from shared.storage.payments.acceptance import Refused, safe_to_retry
from shared.storage.payments.new_payment import NewPayment


def refused(new: NewPayment) -> Refused:
    key = operation_key(Operation.DEBIT, new.order_id, debit_id=None, amount_cents=1, idempotency_key=None)
    return Refused(new.id, new.merchant_id, key)


async def test_an_order_with_an_attempt_that_blocks_is_not_safe_to_retry(database: Database) -> None:
    """Queued, succeeded and locked orders are found; new and failed ones are safe; nothing is stored."""
    paid_id = (await succeeded(database, order_id="paid")).id
    running_id, failed_id, closed_id = [
        await queued(database, order_id=order_id) for order_id in ("running", "failed", "closed")
    ]
    expired = "UPDATE payments SET state = 'expired', guard_key = NULL, key_closed = "
    await change(database, f"{expired} false WHERE id = '{failed_id}'")
    await change(database, f"{expired} true WHERE id = '{closed_id}'")
    asked = {
        order_id: refused(new_payment(order_id=order_id))
        for order_id in ("running", "paid", "failed", "closed", "new", "newer")
    }

    certain = await safe_to_retry(database, list(asked.values()))

    assert certain == {asked["failed"].id, asked["new"].id, asked["newer"].id}
    stored = {row.id for row in await rows(database, "SELECT id FROM payments")}
    assert stored == {running_id, paid_id, failed_id, closed_id}


async def test_an_order_that_is_being_stored_is_never_safe_to_retry(
    postgres_database: Database, second_postgres_database: Database
) -> None:
    """It is waited for shortly; then no debit of the call is safe to retry."""
    new = new_payment()
    with paused_before_commit(postgres_database) as pause:
        async with running(submit(postgres_database, order_id=new.order_id)) as one:
            await pause.reached()

            with pytest.raises(DatabaseUnavailable):
                await safe_to_retry(second_postgres_database, [refused(new)])

            async with running(safe_to_retry(second_postgres_database, [refused(new)])) as other:
                assert await finished_or_blocked(second_postgres_database, other)
                pause.go()
                await outcome_of(one)
                try:
                    certain = await outcome_of(other)
                except DatabaseUnavailable:
                    certain = set()
    assert certain == set()


async def test_two_debits_of_one_order_in_one_call_are_not_both_safe_to_retry(database: Database) -> None:
    """They would be each other's earlier attempt."""
    new = new_payment()
    twice = [refused(new), replace(refused(new), id=new_payment().id)]

    assert len(await safe_to_retry(database, twice)) == 1
