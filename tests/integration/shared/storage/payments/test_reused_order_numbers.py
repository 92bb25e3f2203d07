"""Reused order numbers: payments that release their number, and those that never do."""

from dataclasses import replace
from typing import Any

from payments import (
    TERMS,
    accepted,
    attached,
    change,
    conflict,
    history,
    in_doubt,
    new_payment,
    queued,
    refused,
    rows,
    succeeded,
)
from races.crossing import crossed
from races.interleaving import paused_before_commit

from shared.payment.payment import Operation, Payment
from shared.storage.db.engine import Database
from shared.storage.payments.acceptance import accept
from shared.storage.payments.new_payment import Acceptance

HOUR_MS = 3_600_000


async def ask(database: Database, life_hours: float | None = 24, **changes: Any) -> Acceptance:
    life_seconds = None if life_hours is None else life_hours * 3600
    return await accept(database, new_payment(**changes), replace(TERMS, guard_life_seconds=life_seconds))


async def age(database: Database, payment: Payment, hours: float) -> None:
    """Make the payment that old."""
    await change(
        database,
        "UPDATE payments SET ended_at = ended_at - :ms, created_at = created_at - :ms WHERE id = :id",
        ms=int(hours * HOUR_MS),
        id=payment.id,
    )


async def test_a_success_beyond_its_life_releases_its_number(database: Database) -> None:
    """By the database's clock, in the transaction that stores the next one; its history says so."""
    old = await succeeded(database)
    await age(database, old, 25)

    new_id = accepted(await ask(database))

    (row,) = await rows(database, "SELECT guard_key FROM payments WHERE id = :id", id=old.id)
    assert row.guard_key is None
    assert (await history(database, old.id))[-1][0] == "guard_left"
    assert attached(await ask(database)).id == new_id


async def test_a_younger_success_keeps_its_number(database: Database) -> None:
    """A conflict, as for every merchant; and for ever where no life is set."""
    old = await succeeded(database)
    await age(database, old, 23)
    assert conflict(await ask(database)).reason == "used"

    await age(database, old, 1000)
    assert conflict(await ask(database, life_hours=None)).reason == "used"


async def test_a_life_is_never_shorter_than_the_replay(database: Database) -> None:
    """A POS that repeats its request within the hour gets its payment, whatever life was set."""
    old = await succeeded(database)
    await age(database, old, 0.9)

    assert attached(await ask(database, life_hours=0.1)).id == old.id


async def test_a_doubt_never_releases_its_number(database: Database) -> None:
    """However old it is: the customer may have been charged."""
    claimed = await in_doubt(database)
    await age(database, claimed.payment, 1000)
    await change(database, "UPDATE payments SET doubted_at = doubted_at - 4000000000")

    assert attached(await ask(database)).id == claimed.payment.id


async def test_a_reversal_means_the_new_debit_of_the_number(database: Database) -> None:
    """The newest one that blocks new attempts."""
    old = await succeeded(database)
    await age(database, old, 25)
    new_id = accepted(await ask(database))

    live = conflict(await ask(database, operation=Operation.REVERSAL))

    assert (live.reason, live.payment.id) == ("live", new_id)


async def test_a_debit_is_reversed_once_however_long_ago(database: Database) -> None:
    """A reversal of a known debit is identified by that debit: its life does not end."""
    await succeeded(database)
    reversal = await succeeded(database, operation=Operation.REVERSAL)
    await age(database, reversal, 1000)

    assert conflict(await ask(database, operation=Operation.REVERSAL)).reason == "used"


async def test_a_reversal_of_an_unknown_debit_releases_its_number(database: Database) -> None:
    """Only its number identifies it."""
    passed_on: dict[str, Any] = {"operation": Operation.REVERSAL, "passes_unknown": True}
    reversal = await succeeded(database, **passed_on)
    await age(database, reversal, 25)

    assert accepted(await ask(database, **passed_on))


async def test_a_failure_has_no_number_to_release(database: Database) -> None:
    """The next attempt is stored in any case."""
    await refused(database)

    assert accepted(await ask(database))
    assert await queued(database, order_id="order-2")


async def test_two_at_once_after_the_life_are_one_payment(one: Database, two: Database) -> None:
    """The number is released once: the other one attaches to the first."""
    await age(one, await succeeded(one), 25)

    first, second = await crossed(two, paused_before_commit(one), ask(one), ask(two))

    assert attached(second).id == accepted(first)
