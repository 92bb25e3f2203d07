"""One transaction: its amounts, status, operations. Amounts in cents, times in Unix ms."""

from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, Self

from sandbox.hipay.rules.matching import Match, MatchedBy
from sandbox.hipay.rules.order_and_push import Kind, Operation, OrderNotice, Push
from sandbox.hipay.rules.statuses import Event, Status, follows


class OperationType(StrEnum):
    """Type of an operation on a transaction."""

    CAPTURE = "capture"
    CANCEL = "cancel"
    REFUND = "refund"
    CREDIT = "credit"


class Progress(StrEnum):
    """Progress of an operation."""

    REQUESTED = "requested"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class OperationRecord:
    """An operation on a transaction."""

    id: str
    type: OperationType
    amount_cents: int
    progress: Progress
    at_ms: int
    #: The payment that caused it; None for the Console and for a collection.
    reference: str | None
    #: `terminal` or `console`.
    source: str

    @classmethod
    def of_push(cls, type_: OperationType, push: Push, now_ms: int, id_: str, reference: str | None) -> Self:
        """Return a done operation of the terminal, of the push's amount."""
        return cls(id_, type_, push.amount_cents, Progress.DONE, now_ms, reference, "terminal")


@dataclass(frozen=True, slots=True)
class StatusChange:
    """One line of the status history."""

    status: Status
    at_ms: int
    #: Human-readable cause.
    because: str
    #: It contradicts an earlier status: an operator should check it.
    is_contradiction: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A transaction of the Console, made by `begin` and changed by `changed`."""

    #: Twelve digits.
    reference: str
    order: OrderNotice
    operation: Operation
    matched_by: MatchedBy
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
        """Return the sum of refunds that were authorised and are not collected yet."""
        return sum(
            one.amount_cents
            for one in self.operations
            if one.type is OperationType.REFUND and one.progress is Progress.REQUESTED
        )

    @property
    def is_live_debit(self) -> bool:
        """Return whether it is a debit that was authorised or captured, and not cancelled."""
        return self.operation is Operation.DEBIT and self.status not in (Status.REFUSED, Status.CANCELLED)

    def is_of_amount(self, amount_cents: int) -> bool:
        """Return whether this amount was authorised or completed (less, where only a part was paid)."""
        return self.authorised_cents == amount_cents or any(
            push.kind is Kind.COMPLETION
            and push.operation is self.operation
            and push.amount_cents == amount_cents
            for push in self.pushes
        )

    def with_push(self, push: Push) -> "Transaction":
        """Return the transaction with one more push; a late authorisation adds its amount and time."""
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
        """Return the transaction with the operation, in place of an earlier record of the same id."""
        others = tuple(one for one in self.operations if one.id != record.id)
        return replace(self, operations=(*others, record))

    def changed(self, event: Event, amount_cents: int, at_ms: int, because: str) -> "Transaction":
        """Return the transaction after an event that `follows` allows."""
        status = follows(self.status, event)
        assert status is not None, f"{event} cannot follow {self.status}"
        conflicts_with = self.status is Status.CANCELLED
        line = StatusChange(status, at_ms, because, conflicts_with)
        moved = replace(self, status=status, history=(*self.history, line))
        return _with_amount(moved, event, amount_cents, at_ms)


def begin(
    reference: str, order: OrderNotice, by: MatchedBy, push: Push, event: Event, at_ms: int, because: str
) -> Transaction:
    """Return a new transaction with its first event."""
    status = follows(None, event)
    assert status is not None, f"nothing begins with {event}"
    new = Transaction(
        reference=reference,
        order=order,
        operation=push.operation,
        matched_by=by,
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


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """Action: notify the merchant of the transaction's new status."""

    transaction: Transaction
    #: The operation that caused it; None: none did.
    operation: OperationRecord | None = None


@dataclass(frozen=True, slots=True)
class PushMatched:
    """Action: report the match of a push to a payment; once a push."""

    push: Push
    match: Match


#: A consequence of an order, push or operation, for the platform to carry out.
Action = StatusChanged | PushMatched


@dataclass(frozen=True, slots=True)
class PaymentFacts:
    """Card, terminal and authorisation of a transaction; None where no push has the fact."""

    brand: str | None
    masked_pan: str | None
    entry_mode: str | None
    aid: str | None
    application: str | None
    contract: str | None
    rank: str | None
    authorisation_number: str | None
    code: str | None
    serial: str | None
    pos_number: str | None
    address: str | None
    receipt: str | None
    authorisation_id: str | None
    transaction_id: str | None


def facts_of(transaction: Transaction) -> PaymentFacts:
    """Return the facts; pushes of a debit's reversal or credit are left out."""
    pushes = [push for push in reversed(transaction.pushes) if push.operation is transaction.operation]

    def newest(name: str) -> Any:
        return next((value for push in pushes if (value := getattr(push, name)) is not None), None)

    return PaymentFacts(**{field.name: newest(field.name) for field in fields(PaymentFacts)})
