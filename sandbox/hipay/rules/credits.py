"""Rule of a credit's push: it refunds the order's debit, or is a transaction of its own.

Decided when order and push have matched. Where the order has a debit with as much left, the credit refunds
it: requested at the authorisation, done at the credit's own collection, which waits until the debit is
captured. Otherwise it is a transaction of its own.
"""

from dataclasses import replace

from sandbox.hipay.rules.debits import COLLECTED, REFUSED, begin_transaction, change_transaction
from sandbox.hipay.rules.matching import Match, WaitReason
from sandbox.hipay.rules.order_and_push import Kind, Operation, Push
from sandbox.hipay.rules.statuses import Event, Status
from sandbox.hipay.rules.transaction import (
    Action,
    OperationRecord,
    OperationType,
    Progress,
    StatusChanged,
    Transaction,
)
from sandbox.hipay.rules.transactions import Transactions

CREDIT_AUTHORISED = "credit's authorisation pushed by the gateway, order notified"
REFUNDED = "credit collected from the terminal"


def place_credit(
    transactions: Transactions, match: Match, push: Push, now_ms: int, *, debit_is_notified: bool
) -> list[Action] | WaitReason:
    """Refund or credit; `debit_is_notified`: the order has a debit of as much, whose push may still come."""
    known = transactions.of_push(push) or transactions.open_of_payment(match.order, Operation.CREDIT)
    if known is not None:
        return _continue(transactions, known, push, now_ms)
    if not push.approved:
        return begin_transaction(transactions, match, push, Event.REFUSED, now_ms, REFUSED)
    if push.authorisation_id is None and push.kind is not Kind.COLLECTION:
        return []
    debit = _debit_to_refund(transactions, match, push)
    if debit is not None:
        return _refund(transactions, match, push, debit, now_ms)
    if debit_is_notified and not transactions.debits_of_order(match.order):
        return WaitReason.DEBIT_MISSING
    if push.kind is Kind.COLLECTION:
        credited = _credited(push, now_ms)
        return begin_transaction(
            transactions, match, push, Event.CREDIT_COLLECTED, now_ms, COLLECTED, credited
        )
    return begin_transaction(transactions, match, push, Event.CREDIT_AUTHORISED, now_ms, CREDIT_AUTHORISED)


def _debit_to_refund(transactions: Transactions, match: Match, push: Push) -> Transaction | None:
    """Return the debit that this credit already refunds, else the newest with as much left."""
    debits = transactions.debits_of_order(match.order)
    for debit in debits:
        mine = _operation_of(debit, match)
        if mine is not None and (mine.progress is Progress.DONE or push.amount_cents <= mine.amount_cents):
            return debit
    return next((debit for debit in debits if _left(debit) >= push.amount_cents), None)


def _operation_of(debit: Transaction, match: Match) -> OperationRecord | None:
    return next((one for one in debit.operations if one.id == match.order.reference), None)


def _left(debit: Transaction) -> int:
    """Return the refundable amount, less requested refunds that are not done yet."""
    worth = debit.authorised_cents if debit.status is Status.AUTHORIZED else debit.captured_cents
    return worth - debit.refunded_cents - debit.requested_cents


def _refund(
    transactions: Transactions, match: Match, push: Push, debit: Transaction, now_ms: int
) -> list[Action] | WaitReason:
    reference = match.order.reference
    before = _operation_of(debit, match)
    if before is not None and (before.progress is Progress.DONE or push.kind is not Kind.COLLECTION):
        return []
    done_at_once = OperationRecord.of_push(OperationType.REFUND, push, now_ms, reference, reference)
    operation = replace(done_at_once, progress=Progress.REQUESTED)
    if before is None:
        transactions.store(debit.with_operation(operation))
    if push.kind is not Kind.COLLECTION:
        return []
    if debit.status is Status.AUTHORIZED:
        return WaitReason.DEBIT_NOT_CAPTURED
    refunded, done = refund(debit, operation, now_ms, REFUNDED)
    transactions.store(refunded)
    return [StatusChanged(refunded, done)]


def refund(
    debit: Transaction, operation: OperationRecord, now_ms: int, because: str
) -> tuple[Transaction, OperationRecord]:
    """Return the captured debit with the operation done, and the done operation."""
    assert operation.amount_cents <= debit.refundable_cents, "more would be refunded than was captured"
    done = replace(operation, progress=Progress.DONE, at_ms=now_ms)
    is_all = operation.amount_cents == debit.refundable_cents
    event = Event.REFUNDED_ALL if is_all else Event.REFUNDED
    return debit.with_operation(done).changed(event, operation.amount_cents, now_ms, because), done


def _continue(
    transactions: Transactions, known: Transaction, push: Push, now_ms: int
) -> list[Action] | WaitReason:
    if push.kind is Kind.COLLECTION and known.status is Status.REFUSED:
        return WaitReason.REFUSED
    if push.kind is not Kind.COLLECTION or known.status is not Status.CREDIT_REQUESTED:
        transactions.store(known.with_push(push))
        return []
    return change_transaction(
        transactions, known, push, _credited(push, now_ms), Event.CREDIT_COLLECTED, COLLECTED
    )


def _credited(push: Push, now_ms: int) -> OperationRecord:
    return OperationRecord.of_push(OperationType.CREDIT, push, now_ms, push.record_id, push.reference)
