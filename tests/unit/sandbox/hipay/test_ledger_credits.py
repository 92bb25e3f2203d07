"""Credits refund their debit once it is captured; what is above it is a transaction of its own."""

import pytest
from in_memory.orders_and_pushes import T0, new_ledger, order, push, statuses, take

from sandbox.hipay.rules.ledger import NotAllowed
from sandbox.hipay.rules.matching import WaitReason
from sandbox.hipay.rules.order_and_push import Kind, Operation

AUTHORISATION, COMPLETION, COLLECTION = Kind.AUTHORISATION, Kind.COMPLETION, Kind.COLLECTION
REVERSAL, CREDIT = Operation.REVERSAL, Operation.CREDIT


def test_credits_of_a_captured_debit_refund_it() -> None:
    """Two credits: 126, then 125, counted at their collection and not at their authorisation."""
    ledger = new_ledger()
    take(ledger, order(1), push(COLLECTION, 1, online=False))
    take(ledger, order(2, 1500, CREDIT), order(3, 2500, CREDIT))

    requested = take(ledger, push(AUTHORISATION, 2, 1500, CREDIT), push(COMPLETION, 2, 1500, CREDIT))
    (transaction,) = ledger.transactions
    assert (transaction.refunded_cents, transaction.requested_cents) == (0, 1500)
    first = take(ledger, push(COLLECTION, 2, 1500, CREDIT))
    second = take(ledger, push(COLLECTION, 3, 2500, CREDIT, online=False))

    (transaction,) = ledger.transactions
    assert (statuses(requested), statuses(first), statuses(second)) == ([], [126], [125])
    assert (transaction.captured_cents, transaction.refunded_cents) == (4000, 4000)


def test_a_credits_collection_waits_for_its_debits() -> None:
    """Collected in one batch and pushed in disorder: captured first, then refunded."""
    ledger = new_ledger()
    take(ledger, order(1), push(AUTHORISATION, 1), order(2, 1500, CREDIT))

    early = take(ledger, push(COLLECTION, 2, 1500, CREDIT, online=False))
    assert [one.why for one in ledger.waiting_pushes()] == [WaitReason.DEBIT_NOT_CAPTURED]
    late = take(ledger, push(COLLECTION, 1))

    assert (statuses(early), statuses(late)) == ([], [118, 126])
    assert ledger.waiting_pushes() == []


def test_a_credits_collection_waits_for_a_debit_that_was_only_notified() -> None:
    """An offline debit and its credit in one batch, the credit first."""
    ledger = new_ledger()
    take(ledger, order(1), order(2, 1500, CREDIT))

    early = take(ledger, push(COLLECTION, 2, 1500, CREDIT, online=False))
    assert [one.why for one in ledger.waiting_pushes()] == [WaitReason.DEBIT_MISSING]
    late = take(ledger, push(COLLECTION, 1, online=False))

    assert (statuses(early), statuses(late)) == ([], [118, 126])


def test_a_credit_without_a_debit_is_a_transaction_of_its_own() -> None:
    """169 at its authorisation, 166 at its collection."""
    ledger = new_ledger()

    actions = take(
        ledger, order(1, 700, CREDIT), push(AUTHORISATION, 1, 700, CREDIT), push(COLLECTION, 1, 700, CREDIT)
    )

    (transaction,) = ledger.transactions
    assert statuses(actions) == [169, 166]
    assert (transaction.credited_cents, transaction.captured_cents) == (700, 0)


def test_a_credit_above_what_is_left_of_the_debit_is_a_transaction_of_its_own() -> None:
    """Never more is refunded than was captured."""
    ledger = new_ledger()
    take(ledger, order(1), push(COLLECTION, 1, online=False), order(2, 4001, CREDIT))

    actions = take(ledger, push(COLLECTION, 2, 4001, CREDIT, online=False))

    assert statuses(actions) == [166]
    assert [(one.refunded_cents, one.credited_cents) for one in ledger.transactions] == [(0, 0), (0, 4001)]


def test_the_console_cancels_only_what_is_authorised_and_refunds_only_what_is_captured() -> None:
    """Each action where it is allowed, refused everywhere else; requested refunds are not refunded twice."""
    ledger = new_ledger()
    take(ledger, order(1), push(AUTHORISATION, 1))
    reference = next(iter(ledger.transactions)).reference

    with pytest.raises(NotAllowed):
        ledger.refund(reference, 100, T0)
    take(ledger, push(COLLECTION, 1), order(2, 1500, CREDIT), push(AUTHORISATION, 2, 1500, CREDIT))
    with pytest.raises(NotAllowed):
        ledger.cancel(reference, T0)
    with pytest.raises(NotAllowed):
        ledger.refund(reference, 2501, T0)
    with pytest.raises(NotAllowed):
        ledger.refund(reference, 0, T0)
    actions = ledger.refund(reference, 2500, T0)
    actions += take(ledger, push(COLLECTION, 2, 1500, CREDIT))

    assert statuses(actions) == [126, 125]
    with pytest.raises(KeyError):
        ledger.cancel("000000000099", T0)
