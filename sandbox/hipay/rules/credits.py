"""What a credit's push does: a refund of the order's debit, or a credit of its own.

It is judged by what is known when its own halves have met. Where the order has a debit with as much left, the
credit refunds it: requested at the authorisation, done at the credit's own collection, which waits until the
debit is captured. Otherwise it is a free credit, a transaction of its own.
"""

from sandbox.hipay.rules.actions import Effect, StatusChanged
from sandbox.hipay.rules.debits import COLLECTED, REFUSED
from sandbox.hipay.rules.matching import Joined, Waiting
from sandbox.hipay.rules.order_and_push import Kind, Operation, Push
from sandbox.hipay.rules.statuses import Event, Status
from sandbox.hipay.rules.transaction import (
    OperationRecord,
    OperationType,
    Progress,
    Transaction,
    begin,
)
from sandbox.hipay.rules.transactions import Transactions

CREDIT_AUTHORISED = "credit's authorisation pushed by the gateway, order notified"
REFUNDED = "credit collected from the terminal"


def place_credit(
    ledger: Transactions, joined: Joined, push: Push, now_ms: int, *, debit_is_notified: bool
) -> list[Effect] | Waiting:
    """Refund or credit. debit_is_notified: the order has a debit with as much, whose push may still come."""
    known = ledger.of_push(push) or ledger.open_of_payment(joined.order, Operation.CREDIT)
    if known is not None:
        return _continue(ledger, known, push, now_ms)
    if not push.approved:
        return _begin(ledger, joined, push, Event.REFUSED, now_ms, REFUSED)
    if push.authorisation_id is None and push.kind is not Kind.COLLECTION:
        return []
    debit = _debit_to_refund(ledger, joined, push)
    if debit is not None:
        return _refund(ledger, joined, push, debit, now_ms)
    if debit_is_notified and not ledger.debits_of_order(joined.order):
        return Waiting.DEBIT_MISSING
    if push.kind is Kind.COLLECTION:
        return _begin(ledger, joined, push, Event.CREDIT_COLLECTED, now_ms, COLLECTED)
    return _begin(ledger, joined, push, Event.CREDIT_AUTHORISED, now_ms, CREDIT_AUTHORISED)


def _debit_to_refund(ledger: Transactions, joined: Joined, push: Push) -> Transaction | None:
    """Return the debit that this credit refunds already, else the newest with as much left."""
    debits = ledger.debits_of_order(joined.order)
    for debit in debits:
        mine = _operation_of(debit, joined)
        if mine is not None and (mine.progress is Progress.DONE or push.amount_cents <= mine.amount_cents):
            return debit
    return next((debit for debit in debits if _left(debit) >= push.amount_cents), None)


def _operation_of(debit: Transaction, joined: Joined) -> OperationRecord | None:
    return next((one for one in debit.operations if one.id == joined.order.reference), None)


def _left(debit: Transaction) -> int:
    """What may be refunded, less what was requested and is not done yet."""
    worth = debit.authorised_cents if debit.status is Status.AUTHORIZED else debit.captured_cents
    return worth - debit.refunded_cents - debit.requested_cents


def _refund(
    ledger: Transactions, joined: Joined, push: Push, debit: Transaction, now_ms: int
) -> list[Effect] | Waiting:
    reference = joined.order.reference
    before = _operation_of(debit, joined)
    if before is not None and (before.progress is Progress.DONE or push.kind is not Kind.COLLECTION):
        return []
    operation = OperationRecord(
        id=reference,
        type=OperationType.REFUND,
        amount_cents=push.amount_cents,
        progress=Progress.REQUESTED,
        at_ms=now_ms,
        reference=reference,
        source="terminal",
    )
    if before is None:
        ledger.store(debit.with_operation(operation))
    if push.kind is not Kind.COLLECTION:
        return []
    if debit.status is Status.AUTHORIZED:
        return Waiting.DEBIT_NOT_CAPTURED
    refunded, done = refund(debit, operation, now_ms, REFUNDED)
    ledger.store(refunded)
    return [StatusChanged(refunded, done)]


def refund(
    debit: Transaction, operation: OperationRecord, now_ms: int, because: str
) -> tuple[Transaction, OperationRecord]:
    """Return the captured debit with the operation done, and the operation as it is then."""
    assert operation.amount_cents <= debit.refundable_cents, "more would be refunded than was captured"
    done = OperationRecord(
        id=operation.id,
        type=operation.type,
        amount_cents=operation.amount_cents,
        progress=Progress.DONE,
        at_ms=now_ms,
        reference=operation.reference,
        source=operation.source,
    )
    is_all = operation.amount_cents == debit.refundable_cents
    event = Event.REFUNDED_ALL if is_all else Event.REFUNDED
    return debit.with_operation(done).changed(event, operation.amount_cents, now_ms, because), done


def _continue(ledger: Transactions, known: Transaction, push: Push, now_ms: int) -> list[Effect] | Waiting:
    if push.kind is Kind.COLLECTION and known.status is Status.REFUSED:
        return Waiting.REFUSED
    if push.kind is not Kind.COLLECTION or known.status is not Status.CREDIT_REQUESTED:
        ledger.store(known.with_push(push))
        return []
    operation = _credited(push, now_ms)
    credited = (
        known.with_push(push)
        .with_operation(operation)
        .changed(Event.CREDIT_COLLECTED, push.amount_cents, now_ms, COLLECTED)
    )
    ledger.store(credited)
    return [StatusChanged(credited, operation)]


def _begin(
    ledger: Transactions, joined: Joined, push: Push, event: Event, now_ms: int, because: str
) -> list[Effect]:
    new = begin(ledger.next_reference(), joined.order, joined.by, push, event, now_ms, because)
    operation = None
    if event is Event.CREDIT_COLLECTED:
        operation = _credited(push, now_ms)
        new = new.with_operation(operation)
    ledger.store(new)
    return [StatusChanged(new, operation)]


def _credited(push: Push, now_ms: int) -> OperationRecord:
    return OperationRecord(
        id=push.record_id,
        type=OperationType.CREDIT,
        amount_cents=push.amount_cents,
        progress=Progress.DONE,
        at_ms=now_ms,
        reference=push.reference,
        source="terminal",
    )
