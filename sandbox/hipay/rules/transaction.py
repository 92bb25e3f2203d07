"""One transaction: what it is worth, what became of it. Amounts in cents, times in Unix ms."""

from dataclasses import dataclass, replace
from enum import StrEnum

from sandbox.hipay.rules.matching import By
from sandbox.hipay.rules.order_and_push import Kind, Operation, OrderNotice, Push
from sandbox.hipay.rules.statuses import Event, Status, follows


class OperationType(StrEnum):
    """What can be done with a transaction."""

    CAPTURE = "capture"
    CANCEL = "cancel"
    REFUND = "refund"
    CREDIT = "credit"


class Progress(StrEnum):
    """How far an operation is."""

    REQUESTED = "requested"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class OperationRecord:
    """Something that was done with a transaction."""

    id: str
    type: OperationType
    amount_cents: int
    progress: Progress
    at_ms: int
    #: Our payment that asked for it; None where it was the Console or the collection.
    reference: str | None
    #: `terminal` or `console`.
    source: str


@dataclass(frozen=True, slots=True)
class StatusChange:
    """One line of the status history."""

    status: Status
    at_ms: int
    #: What brought it about, in words.
    because: str
    #: It contradicts what was said before: a person should look.
    is_contradiction: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """What the Console shows. Made by `begin`, changed by `changed`."""

    #: Twelve digits.
    reference: str
    order: OrderNotice
    operation: Operation
    joined_by: By
    status: Status
    history: tuple[StatusChange, ...]
    created_at_ms: int
    authorised_cents: int = 0
    captured_cents: int = 0
    refunded_cents: int = 0
    credited_cents: int = 0
    authorised_at_ms: int | None = None
    operations: tuple[OperationRecord, ...] = ()
    pushes: tuple[Push, ...] = ()

    @property
    def updated_at_ms(self) -> int:
        return self.history[-1].at_ms

    @property
    def refundable_cents(self) -> int:
        return self.captured_cents - self.refunded_cents

    @property
    def requested_cents(self) -> int:
        """Refunds that were authorised and whose collection has not come."""
        return sum(
            one.amount_cents
            for one in self.operations
            if one.type is OperationType.REFUND and one.progress is Progress.REQUESTED
        )

    @property
    def is_live_debit(self) -> bool:
        """A debit that was authorised or captured, and not cancelled."""
        return self.operation is Operation.DEBIT and self.status not in (Status.REFUSED, Status.CANCELLED)

    def is_of_amount(self, amount_cents: int) -> bool:
        """Whether so much was authorised, or completed: a partial approval pays less than was authorised."""
        return self.authorised_cents == amount_cents or any(
            push.kind is Kind.COMPLETION
            and push.operation is self.operation
            and push.amount_cents == amount_cents
            for push in self.pushes
        )

    def with_push(self, push: Push) -> "Transaction":
        """Return it with one more of its records; a late authorisation adds its amount and time."""
        known = replace(self, pushes=(*self.pushes, push))
        if push.kind is not Kind.AUTHORISATION or not push.approved or known.status is Status.REFUSED:
            return known
        is_late = known.authorised_at_ms is None
        return (
            replace(known, authorised_at_ms=push.at_ms, authorised_cents=push.amount_cents)
            if is_late
            else known
        )

    def with_operation(self, record: OperationRecord) -> "Transaction":
        """Return it with the operation, in place of an earlier record of the same id."""
        others = tuple(one for one in self.operations if one.id != record.id)
        return replace(self, operations=(*others, record))

    def changed(self, event: Event, amount_cents: int, at_ms: int, because: str) -> "Transaction":
        """Return it after an event that `follows` allows."""
        status = follows(self.status, event)
        assert status is not None, f"{event} cannot follow {self.status}"
        contradicts = self.status is Status.CANCELLED
        line = StatusChange(status, at_ms, because, contradicts)
        moved = replace(self, status=status, history=(*self.history, line))
        return _with_amount(moved, event, amount_cents, at_ms)


def begin(
    reference: str, order: OrderNotice, by: By, push: Push, event: Event, at_ms: int, because: str
) -> Transaction:
    """Return a new transaction, as its first event makes it."""
    status = follows(None, event)
    assert status is not None, f"nothing begins with {event}"
    new = Transaction(
        reference=reference,
        order=order,
        operation=push.operation,
        joined_by=by,
        status=status,
        history=(StatusChange(status, at_ms, because),),
        created_at_ms=at_ms,
    )
    return _with_amount(new, event, push.amount_cents, push.at_ms).with_push(push)


def _with_amount(transaction: Transaction, event: Event, amount_cents: int, at_ms: int) -> Transaction:
    match event:
        case Event.AUTHORISED | Event.CREDIT_AUTHORISED:
            return replace(transaction, authorised_cents=amount_cents, authorised_at_ms=at_ms)
        case Event.COLLECTED:
            return replace(transaction, captured_cents=amount_cents)
        case Event.REFUNDED | Event.REFUNDED_ALL:
            return replace(transaction, refunded_cents=transaction.refunded_cents + amount_cents)
        case Event.CREDIT_COLLECTED:
            return replace(transaction, credited_cents=amount_cents)
        case Event.REFUSED | Event.CANCELLED:
            return transaction
