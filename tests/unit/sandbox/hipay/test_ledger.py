"""Orders and pushes in any order become the same transactions, and no amount is made up."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from in_memory.orders_and_pushes import T0, new_ledger, order, payment, push, statuses, take

from sandbox.hipay.rules.ledger import Ledger
from sandbox.hipay.rules.matching import WaitReason
from sandbox.hipay.rules.order_and_push import Kind, Operation, OrderNotice, Push
from sandbox.hipay.rules.statuses import Status

AUTHORISATION, COMPLETION, COLLECTION = Kind.AUTHORISATION, Kind.COMPLETION, Kind.COLLECTION
REVERSAL, CREDIT = Operation.REVERSAL, Operation.CREDIT


@pytest.mark.parametrize("messages", list(itertools.permutations([order(), push(AUTHORISATION)])))
def test_no_transaction_exists_before_order_and_push(messages: tuple[OrderNotice | Push, ...]) -> None:
    """Neither the order nor the push alone is a transaction; both are, Authorized, in either order."""
    ledger = new_ledger()

    first = take(ledger, messages[0])
    second = take(ledger, messages[1])

    assert statuses(first) == []
    assert statuses(second) == [116]
    (transaction,) = ledger.transactions
    assert (transaction.authorised_cents, transaction.captured_cents) == (4000, 0)


@pytest.mark.parametrize(
    "messages",
    list(itertools.permutations([order(), push(AUTHORISATION), push(COMPLETION), push(COLLECTION)])),
    ids=lambda messages: "-".join(
        message.kind if isinstance(message, Push) else "order" for message in messages
    ),
)
def test_a_collected_debit_is_captured_once_in_any_order(messages: tuple[OrderNotice | Push, ...]) -> None:
    """However the four arrive: one transaction, captured, its amount counted once."""
    ledger = new_ledger()

    actions = take(ledger, *messages)

    (transaction,) = ledger.transactions
    assert transaction.status is Status.CAPTURED
    assert (transaction.authorised_cents, transaction.captured_cents) == (4000, 4000)
    assert statuses(actions) in ([116, 118], [118])
    assert ledger.waiting_pushes() == []


def test_repeated_messages_change_nothing() -> None:
    """Everything twice, in disorder: the same transaction, and no further notification."""
    ledger = new_ledger()
    messages: list[OrderNotice | Push] = [order(), push(AUTHORISATION), push(COLLECTION)]

    actions = take(ledger, *messages, *reversed(messages), *messages)

    assert statuses(actions) == [116, 118]
    assert [one.captured_cents for one in ledger.transactions] == [4000]


def test_without_authorisation_only_the_collection_makes_a_transaction() -> None:
    """An offline approval is no transaction until it is collected, whatever else is pushed."""
    ledger = new_ledger()

    before = take(ledger, order(), push(COMPLETION, online=False))
    actions = take(ledger, push(COLLECTION, online=False))

    assert statuses(before) == []
    assert statuses(actions) == [118]
    (transaction,) = ledger.transactions
    assert (transaction.authorised_cents, transaction.captured_cents) == (0, 4000)


def test_a_refused_transaction_is_never_captured() -> None:
    """Its collection, which should not be, waits and is shown."""
    ledger = new_ledger()
    refused = push(AUTHORISATION, approved=False, code="51")

    actions = take(ledger, order(), refused, push(COLLECTION))

    assert statuses(actions) == [113]
    assert [one.captured_cents for one in ledger.transactions] == [0]
    assert [one.why for one in ledger.waiting_pushes()] == [WaitReason.REFUSED]


def test_a_second_attempt_after_a_wrong_pin_is_a_transaction_of_its_own() -> None:
    """One payment, a refusal and an approval: 113 stays, 116 comes beside it."""
    ledger = new_ledger()
    wrong_pin = push(AUTHORISATION, transaction=7, approved=False, code="55")

    actions = take(ledger, order(), wrong_pin, push(AUTHORISATION, transaction=8))

    assert statuses(actions) == [113, 116]
    assert [one.status for one in ledger.transactions] == [Status.REFUSED, Status.AUTHORIZED]


_REVERSED = [
    order(1),
    push(AUTHORISATION, 1),
    push(COMPLETION, 1),
    order(2, operation=REVERSAL),
    push(AUTHORISATION, 2, operation=REVERSAL),
    push(COMPLETION, 2, operation=REVERSAL),
]


@given(st.permutations(_REVERSED))
def test_a_reversal_before_the_collection_cancels_in_any_order(messages: list[OrderNotice | Push]) -> None:
    """However they arrive: 116, then 115, nothing captured, nothing waiting."""
    ledger = new_ledger()

    actions = take(ledger, *messages)

    assert statuses(actions) == [116, 115]
    assert [(one.status, one.captured_cents) for one in ledger.transactions] == [(Status.CANCELLED, 0)]
    assert ledger.waiting_pushes() == []


_PARTLY_PAID = [
    order(1, 4228),
    push(AUTHORISATION, 1, 4228),
    push(COMPLETION, 1, 100),
    order(2, 100, operation=REVERSAL),
    push(AUTHORISATION, 2, 100, operation=REVERSAL),
    push(COMPLETION, 2, 100, operation=REVERSAL),
]


@given(st.permutations(_PARTLY_PAID))
def test_the_reversal_of_a_partial_payment_cancels_in_any_order(messages: list[OrderNotice | Push]) -> None:
    """The paid amount is less than the authorised one, which stays."""
    ledger = new_ledger()

    actions = take(ledger, *messages)

    assert statuses(actions) == [116, 115]
    assert [(one.status, one.authorised_cents) for one in ledger.transactions] == [(Status.CANCELLED, 4228)]
    assert ledger.waiting_pushes() == []


def test_a_completion_waits_for_the_authorisation_that_was_asked() -> None:
    """Only that one has the authorised amount; the reversal of another amount finds no debit."""
    ledger = new_ledger()

    early = take(ledger, order(1, 4228), push(COMPLETION, 1, 100))
    assert [one.why for one in ledger.waiting_pushes()] == [WaitReason.NO_AUTHORISATION]
    late = take(ledger, push(AUTHORISATION, 1, 4228), order(2, 99, operation=REVERSAL))
    take(ledger, push(COMPLETION, 2, 99, operation=REVERSAL))

    assert (statuses(early), statuses(late)) == ([], [116])
    assert [one.why for one in ledger.waiting_pushes()] == [WaitReason.DEBIT_MISSING]


def test_a_reversal_of_what_the_console_cancelled_is_recorded() -> None:
    """Cancelled once, notified once, both operations kept, nothing waiting."""
    ledger = new_ledger()
    take(ledger, order(1), push(AUTHORISATION, 1), order(2, operation=REVERSAL))
    ledger.cancel(next(iter(ledger.transactions)).reference, T0 + 40_000)
    reversal = [push(kind, 2, operation=REVERSAL) for kind in (AUTHORISATION, COMPLETION)]

    actions = take(ledger, *reversal)

    (transaction,) = ledger.transactions
    assert (statuses(actions), transaction.status) == ([], Status.CANCELLED)
    assert [one.source for one in transaction.operations] == ["console", "terminal"]
    assert ledger.waiting_pushes() == []


def test_a_reversal_of_an_offline_debit_makes_no_transaction() -> None:
    """There was no transaction: there is none, and nothing to collect."""
    ledger = new_ledger()

    actions = take(ledger, order(1), order(2, operation=REVERSAL), push(COMPLETION, 2, operation=REVERSAL))

    assert statuses(actions) == []
    assert [one.why for one in ledger.waiting_pushes()] == [WaitReason.DEBIT_MISSING]


def test_a_reversal_after_the_collection_cancels_nothing() -> None:
    """The money has moved: only a credit gives it back. The push waits and is shown."""
    ledger = new_ledger()
    take(ledger, order(1), push(AUTHORISATION, 1), push(COLLECTION, 1), order(2, operation=REVERSAL))

    actions = take(ledger, push(COMPLETION, 2, operation=REVERSAL))

    assert statuses(actions) == []
    assert [one.why for one in ledger.waiting_pushes()] == [WaitReason.DEBIT_CAPTURED]


def test_a_refused_reversal_leaves_the_debit() -> None:
    """The issuer refused: the debit stays Authorized."""
    ledger = new_ledger()
    take(ledger, order(1), push(AUTHORISATION, 1), order(2, operation=REVERSAL))

    actions = take(ledger, push(AUTHORISATION, 2, operation=REVERSAL, approved=False, code="05"))

    assert statuses(actions) == []
    assert [one.status for one in ledger.transactions] == [Status.AUTHORIZED]


def test_what_was_collected_is_captured_although_it_was_cancelled() -> None:
    """The collection is the last proof; the contradiction is marked for an operator."""
    ledger = new_ledger()
    take(ledger, order(), push(AUTHORISATION))
    (transaction,) = ledger.transactions
    ledger.cancel(transaction.reference, T0 + 40_000)

    actions = take(ledger, push(COLLECTION))

    (transaction,) = ledger.transactions
    assert statuses(actions) == [118]
    assert transaction.history[-1].is_contradiction
    assert transaction.captured_cents == 4000


def test_the_same_transaction_collected_under_another_record_is_counted_once() -> None:
    """A terminal that sends its batch again to a gateway that forgot."""
    ledger = new_ledger()
    take(ledger, order(), push(COLLECTION, online=False))

    actions = take(ledger, replace(push(COLLECTION, online=False), record_id="another"))

    assert statuses(actions) == []
    assert [one.captured_cents for one in ledger.transactions] == [4000]


def test_orders_wait_until_the_gateway_pushes_a_record() -> None:
    """Abandoned ones wait for ever, refused ones do not."""
    ledger = new_ledger()
    take(ledger, order(1), order(2, order_id="ORDER_2"), push(AUTHORISATION, 2, approved=False, code="05"))

    assert [one.reference for one in ledger.waiting_orders()] == [payment(1)]


def _messages(number: int, cents: int, *, online: bool, approved: bool) -> list[OrderNotice | Push]:
    messages: list[OrderNotice | Push] = [order(number, cents, order_id=f"ORDER_{number}")]
    if online:
        code = "00" if approved else "51"
        messages.append(push(AUTHORISATION, number, cents, approved=approved, code=code))
    if approved:
        messages.append(push(COLLECTION, number, cents, online=online))
    return messages


@given(st.data())
def test_the_sums_are_those_of_what_was_collected(data: st.DataObject) -> None:
    """Random payments, doubled and disordered: captured is the sum of approved ones, to the cent."""
    payments = data.draw(
        st.lists(st.tuples(st.integers(1, 999_999), st.booleans(), st.booleans()), min_size=1, max_size=8)
    )
    messages: list[OrderNotice | Push] = []
    expected = 0
    for number, (cents, online, approved) in enumerate(payments, start=1):
        is_done = approved or not online
        messages += _messages(number, cents, online=online, approved=is_done)
        expected += cents if is_done else 0
    again = data.draw(st.lists(st.sampled_from(messages), max_size=6))
    ledger: Ledger = new_ledger()

    take(ledger, *data.draw(st.permutations([*messages, *again])))

    assert sum(one.captured_cents for one in ledger.transactions) == expected
    assert all(one.captured_cents == 0 for one in ledger.transactions if one.status is Status.REFUSED)
    assert ledger.waiting_pushes() == []
