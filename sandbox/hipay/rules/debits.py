"""Rules of a debit's and of a reversal's push."""

from sandbox.hipay.rules.matching import Match, WaitReason
from sandbox.hipay.rules.order_and_push import Kind, Operation, Push
from sandbox.hipay.rules.statuses import Event, Status
from sandbox.hipay.rules.transaction import (
    Action,
    OperationRecord,
    OperationType,
    StatusChanged,
    Transaction,
    begin,
)
from sandbox.hipay.rules.transactions import Transactions

AUTHORISED = "authorisation pushed by the gateway, order notified"
REFUSED = "refusal pushed by the gateway, order notified"
COLLECTED = "collection pushed by the gateway"
COLLECTED_ALL_THE_SAME = "collected although it was cancelled"
REVERSED = "reversed at the terminal"


def place_debit(
    transactions: Transactions, match: Match, push: Push, now_ms: int
) -> list[Action] | WaitReason:
    """Begin the debit's transaction by its authorisation or collection, or update it."""
    known = transactions.of_push(push)
    if push.kind is Kind.COLLECTION:
        return _collect(transactions, match, push, known, now_ms)
    if known is not None:
        transactions.store(known.with_push(push))
        return []
    if push.authorisation_id is None:
        return []
    if push.kind is Kind.COMPLETION:
        # Its amount may be less than the authorised one, which only the authorisation holds.
        return WaitReason.NO_AUTHORISATION
    event, because = (Event.AUTHORISED, AUTHORISED) if push.approved else (Event.REFUSED, REFUSED)
    return begin_transaction(transactions, match, push, event, now_ms, because)


def _collect(
    transactions: Transactions, match: Match, push: Push, known: Transaction | None, now_ms: int
) -> list[Action] | WaitReason:
    known = known or transactions.open_of_payment(match.order, Operation.DEBIT)
    if known is None:
        captured_at_once = _capture(push, now_ms)
        return begin_transaction(
            transactions, match, push, Event.COLLECTED, now_ms, COLLECTED, captured_at_once
        )
    if known.status is Status.REFUSED:
        return WaitReason.REFUSED
    if known.status not in (Status.AUTHORIZED, Status.CANCELLED):
        transactions.store(known.with_push(push))
        return []
    because = COLLECTED if known.status is Status.AUTHORIZED else COLLECTED_ALL_THE_SAME
    operation = _capture(push, now_ms)
    return change_transaction(transactions, known, push, operation, Event.COLLECTED, because)


def place_reversal(
    transactions: Transactions, match: Match, push: Push, now_ms: int
) -> list[Action] | WaitReason:
    """Cancel the order's authorised debit, or record the reversal of one that the Console cancelled.

    A debit that was never authorised has no transaction to cancel.
    """
    if not push.approved:
        return []
    order = match.order
    done = _reversed_by(transactions, match)
    if done is not None:
        transactions.store(done.with_push(push))
        return []
    reference = order.reference
    operation = OperationRecord.of_push(OperationType.CANCEL, push, now_ms, reference, reference)
    debit = transactions.authorised_debit(order, push.amount_cents)
    if debit is None:
        cancelled_before = transactions.debit_cancelled_by_hand(order, push.amount_cents)
        if cancelled_before is None:
            return _why_not_reversed(transactions, match)
        transactions.store(cancelled_before.with_push(push).with_operation(operation))
        return []
    return change_transaction(transactions, debit, push, operation, Event.CANCELLED, REVERSED)


def _why_not_reversed(transactions: Transactions, match: Match) -> WaitReason:
    debits = transactions.debits_of_order(match.order)
    is_captured = any(one.status is not Status.AUTHORIZED for one in debits)
    return WaitReason.DEBIT_CAPTURED if is_captured else WaitReason.DEBIT_MISSING


def _reversed_by(transactions: Transactions, match: Match) -> Transaction | None:
    reference = match.order.reference
    return next(
        (
            one
            for one in transactions.of_order(match.order)
            if any(done.id == reference for done in one.operations)
        ),
        None,
    )


def begin_transaction(
    transactions: Transactions,
    match: Match,
    push: Push,
    event: Event,
    now_ms: int,
    because: str,
    operation: OperationRecord | None = None,
) -> list[Action]:
    """Store a new transaction with its first event and operation."""
    new = begin(transactions.next_reference(), match.order, match.by, push, event, now_ms, because)
    if operation is not None:
        new = new.with_operation(operation)
    transactions.store(new)
    return [StatusChanged(new, operation)]


def change_transaction(
    transactions: Transactions,
    known: Transaction,
    push: Push,
    operation: OperationRecord,
    event: Event,
    because: str,
) -> list[Action]:
    """Store the transaction with a push and its operation, which is the event."""
    changed = (
        known.with_push(push)
        .with_operation(operation)
        .changed(event, push.amount_cents, operation.at_ms, because)
    )
    transactions.store(changed)
    return [StatusChanged(changed, operation)]


def _capture(push: Push, now_ms: int) -> OperationRecord:
    return OperationRecord.of_push(OperationType.CAPTURE, push, now_ms, push.record_id, None)
