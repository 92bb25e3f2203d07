"""Mistakes in the choice of the debit that a reversal or credit gives back, and in its locks."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from payments import prove, refused, rows, submit, succeeded
from races.interleaving import finished_or_blocked, outcome_of, paused_before_commit, running
from races.race import Race

from shared.payment import debit_choice
from shared.payment.debit_choice import FollowUpRequest, KnownDebit
from shared.payment.payment import Operation
from shared.payment.states import Event
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments import debits, insertion
from shared.storage.payments.new_payment import Accepted, Conflict, NewPayment, UnknownOrder


async def _charge_twice(database: Database) -> None:
    """Charge an order twice: its first debit counts as refused until a proof contradicts that."""
    first = await refused(database)
    await succeeded(database)
    await prove(database, first.id, Event.PROVED_DONE)


async def _reversed_debits(database: Database) -> list[str]:
    found = await rows(database, "SELECT debit_id FROM payments WHERE operation = 'reversal' ORDER BY id")
    return [row.debit_id for row in found]


async def two_reversals_of_two_charges(one: Database, two: Database) -> list[str]:
    """Both charges of an order are reversed, each by a request with a key of its own."""
    await _charge_twice(one)
    answers = [await submit(one, operation=Operation.REVERSAL, idempotency_key="first")]
    answers.append(await submit(two, operation=Operation.REVERSAL, idempotency_key="second"))
    if not all(isinstance(answer, Accepted) for answer in answers):
        return [f"a charge that cannot be reversed: {answers}"]
    given_back = await _reversed_debits(one)
    return [] if len(set(given_back)) == 2 else [f"one charge reversed twice: {given_back}"]


async def reversal_repeated_without_key(one: Database, two: Database) -> list[str]:
    """A reversal without a key is sent again; another charge of its order could be meant."""
    await _charge_twice(one)
    assert isinstance(await submit(one, operation=Operation.REVERSAL), Accepted)
    again = await submit(two, operation=Operation.REVERSAL)
    if isinstance(again, Conflict) and again.reason == "ambiguous":
        return []
    return [f"sent again, and another charge is given back: {await _reversed_debits(one)}"]


async def two_credits_that_lock_different_debits(one: Database, two: Database) -> list[str]:
    """Two credits of one debit; by its key the first one could also mean an earlier, reversed debit."""
    await succeeded(one)
    credit: dict[str, Any] = {"operation": Operation.CREDIT, "amount_cents": 600}
    await refused(one, **credit, idempotency_key="first")
    await succeeded(one, operation=Operation.REVERSAL)
    await succeeded(one)
    with paused_before_commit(one) as pause:
        async with running(submit(one, **credit, idempotency_key="first")) as first:
            await pause.reached()
            async with running(submit(two, **credit, idempotency_key="second")) as second:
                await finished_or_blocked(two, second)
                pause.go()
                answers = await outcome_of(first), await outcome_of(second)
    assert isinstance(answers[0], Accepted)
    return ["more is given back than was paid"] if isinstance(answers[1], Accepted) else []


async def reversal_of_an_unknown_order(one: Database, _: Database) -> list[str]:
    """An order without a debit here is to be reversed: its terminal would take the last sale for it."""
    answer = await submit(one, operation=Operation.REVERSAL)
    return [] if isinstance(answer, UnknownOrder) else [f"sent to the terminal: {answer}"]


def newest_debit_chosen() -> AbstractContextManager[object]:
    """Whatever the request says, the newest debit is meant."""

    def choose(_: FollowUpRequest, known: Sequence[KnownDebit]) -> KnownDebit:
        return known[0]

    return patch.object(insertion, "choose_debit", choose)


@contextmanager
def never_ambiguous() -> Iterator[None]:
    """Each request means the next charge, as one with a new key does."""
    original = debit_choice._next_of

    def next_of(asked: FollowUpRequest, charges: Sequence[KnownDebit]) -> KnownDebit:
        return original(replace(asked, idempotency_key="new", key_is_used=False), charges)

    with patch.object(debit_choice, "_next_of", next_of):
        yield


@contextmanager
def one_debit_locked() -> Iterator[None]:
    """Of the debits that can be meant only one is locked."""
    original = debits.lock
    all_of_them = Statement(debits._CAN_BE_MEANT)

    async def lock(tx: Transaction, *arguments: Any) -> list[str]:
        with patch.object(debits, "_LOCK", Statement(debits._CAN_BE_MEANT + " LIMIT 1 {for_update}")):
            await original(tx, *arguments)
        with patch.object(debits, "_LOCK", all_of_them):
            return await original(tx, *arguments)

    with patch.object(debits, "lock", lock):
        yield


@contextmanager
def unknown_orders_passed_on() -> Iterator[None]:
    """A reversal or credit without a debit goes to the terminal, whatever its merchant's settings say."""
    original = insertion.insert

    async def insert(tx: Transaction, new: NewPayment, *arguments: Any, **named: Any) -> Any:
        return await original(tx, replace(new, passes_unknown=True), *arguments, **named)

    with patch.object(insertion, "insert", insert):
        yield


GIVING_BACK = {
    "the newest debit only": Race(newest_debit_chosen, two_reversals_of_two_charges),
    "no refusal where several charges are meant": Race(never_ambiguous, reversal_repeated_without_key),
    "one debit locked of several": Race(one_debit_locked, two_credits_that_lock_different_debits),
    "unknown orders passed on": Race(unknown_orders_passed_on, reversal_of_an_unknown_order),
}
