"""What a debit's or a reversal's push does to the order's transactions."""

from sandbox.hipay.rules.actions import Effect, StatusChanged
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

AUTHORISED = "authorisation pushed by the gateway, order notified"
REFUSED = "refusal pushed by the gateway, order notified"
COLLECTED = "collection pushed by the gateway"
COLLECTED_ALL_THE_SAME = "collected although it was cancelled"
REVERSED = "reversed at the terminal"


def place_debit(ledger: Transactions, joined: Joined, push: Push, now_ms: int) -> list[Effect] | Waiting:
    """Begin, update or leave the debit's transaction. An authorisation begins one, or a collection."""
    known = ledger.of_push(push)
    if push.kind is Kind.COLLECTION:
        return _collect(ledger, joined, push, known, now_ms)
    if known is not None:
        ledger.store(known.with_push(push))
        return []
    if push.authorisation_id is None:
        return []
    if push.kind is Kind.COMPLETION:
        # Its amount may be less than the authorised one, which only the authorisation tells.
        return Waiting.NO_AUTHORISATION
    event, because = (Event.AUTHORISED, AUTHORISED) if push.approved else (Event.REFUSED, REFUSED)
    return _begin(ledger, joined, push, event, now_ms, because)


def _collect(
    ledger: Transactions, joined: Joined, push: Push, known: Transaction | None, now_ms: int
) -> list[Effect] | Waiting:
    known = known or ledger.open_of_payment(joined.order, Operation.DEBIT)
    if known is None:
        return _begin(ledger, joined, push, Event.COLLECTED, now_ms, COLLECTED)
    if known.status is Status.REFUSED:
        return Waiting.REFUSED
    if known.status not in (Status.AUTHORIZED, Status.CANCELLED):
        ledger.store(known.with_push(push))
        return []
    because = COLLECTED if known.status is Status.AUTHORIZED else COLLECTED_ALL_THE_SAME
    operation = _capture(push, now_ms)
    captured = (
        known.with_push(push)
        .with_operation(operation)
        .changed(Event.COLLECTED, push.amount_cents, now_ms, because)
    )
    ledger.store(captured)
    return [StatusChanged(captured, operation)]


def place_reversal(ledger: Transactions, joined: Joined, push: Push, now_ms: int) -> list[Effect] | Waiting:
    """Cancel the order's authorised debit, or note that the till reversed what the Console cancelled.

    A debit that was never authorised has no transaction to cancel.
    """
    if not push.approved:
        return []
    order = joined.order
    done = _reversed_by(ledger, joined)
    if done is not None:
        ledger.store(done.with_push(push))
        return []
    operation = OperationRecord(
        id=order.reference,
        type=OperationType.CANCEL,
        amount_cents=push.amount_cents,
        progress=Progress.DONE,
        at_ms=now_ms,
        reference=order.reference,
        source="terminal",
    )
    debit = ledger.authorised_debit(order, push.amount_cents)
    if debit is None:
        cancelled_before = ledger.debit_cancelled_by_hand(order, push.amount_cents)
        if cancelled_before is None:
            return _why_not_reversed(ledger, joined)
        ledger.store(cancelled_before.with_push(push).with_operation(operation))
        return []
    cancelled = (
        debit.with_push(push)
        .with_operation(operation)
        .changed(Event.CANCELLED, push.amount_cents, now_ms, REVERSED)
    )
    ledger.store(cancelled)
    return [StatusChanged(cancelled, operation)]


def _why_not_reversed(ledger: Transactions, joined: Joined) -> Waiting:
    debits = ledger.debits_of_order(joined.order)
    is_captured = any(one.status is not Status.AUTHORIZED for one in debits)
    return Waiting.DEBIT_CAPTURED if is_captured else Waiting.DEBIT_MISSING


def _reversed_by(ledger: Transactions, joined: Joined) -> Transaction | None:
    reference = joined.order.reference
    return next(
        (
            one
            for one in ledger.of_order(joined.order)
            if any(done.id == reference for done in one.operations)
        ),
        None,
    )


def _begin(
    ledger: Transactions, joined: Joined, push: Push, event: Event, now_ms: int, because: str
) -> list[Effect]:
    new = begin(ledger.next_reference(), joined.order, joined.by, push, event, now_ms, because)
    operation = None
    if event is Event.COLLECTED:
        operation = _capture(push, now_ms)
        new = new.with_operation(operation)
    ledger.store(new)
    return [StatusChanged(new, operation)]


def _capture(push: Push, now_ms: int) -> OperationRecord:
    return OperationRecord(
        id=push.record_id,
        type=OperationType.CAPTURE,
        amount_cents=push.amount_cents,
        progress=Progress.DONE,
        at_ms=now_ms,
        reference=None,
        source="terminal",
    )
