"""The platform's ledger: takes orders and pushes in any order, repeats too, and keeps the transactions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sandbox.hipay.rules.credits import place_credit, refund
from sandbox.hipay.rules.debits import place_debit, place_reversal
from sandbox.hipay.rules.matching import Match, WaitReason, match_order
from sandbox.hipay.rules.order_and_push import Kind, Operation, OrderNotice, Push
from sandbox.hipay.rules.statuses import Event, Status
from sandbox.hipay.rules.transaction import (
    Action,
    OperationRecord,
    OperationType,
    Progress,
    PushMatched,
    StatusChanged,
    Transaction,
)
from sandbox.hipay.rules.transactions import Transactions

#: Entries of each kind; older ones are dropped.
KEPT: Final = 10_000

_ORDER_OF_KINDS: Final = {Kind.AUTHORISATION: 0, Kind.COMPLETION: 1, Kind.COLLECTION: 2}


class NotAllowed(Exception):
    """Raised for an operation of the Console that the transaction does not allow; the message says why."""


@dataclass(frozen=True, slots=True)
class WaitingPush:
    """A push that is not placed yet, with the reason."""

    push: Push
    why: WaitReason


class Ledger:
    """Orders, waiting pushes, transactions."""

    def __init__(self, next_reference: Callable[[], str]) -> None:
        """next_reference: returns a new transaction's unique reference, twelve digits."""
        self.transactions: Final = Transactions(next_reference)
        self.orders: Final[dict[str, OrderNotice]] = {}
        self._waiting: Final[dict[str, WaitingPush]] = {}
        self._known_records: Final[dict[str, None]] = {}
        self._matched_records: Final[dict[str, None]] = {}
        #: The order of each transaction, by its ids at gateway and terminal.
        self._matches: Final[dict[str, Match]] = {}
        #: Payments with an approved push: they match no other one.
        self._approved: Final[dict[str, None]] = {}
        self._debits_notified: Final[dict[tuple[str, str], list[OrderNotice]]] = {}

    def take_order(self, order: OrderNotice, now_ms: int) -> list[Action]:
        """Take an order notification; a repeat changes nothing."""
        if order.reference in self.orders:
            return []
        _keep(self.orders, order.reference, order)
        if order.operation is Operation.DEBIT:
            self._debits_notified.setdefault((order.merchant_id, order.order_id), []).append(order)
        return self._place_waiting(now_ms)

    def take_push(self, push: Push, now_ms: int) -> list[Action]:
        """Take a push; a repeat of its record changes nothing."""
        if push.record_id in self._known_records:
            return []
        _keep(self._known_records, push.record_id, None)
        actions, why = self._place(push, now_ms)
        if why is not None:
            _keep(self._waiting, push.record_id, WaitingPush(push, why))
        return [*actions, *self._place_waiting(now_ms)]

    def knows(self, record_id: str) -> bool:
        """Return whether a push of this record came before."""
        return record_id in self._known_records

    def waiting_pushes(self) -> list[WaitingPush]:
        """Return the pushes that are not placed yet, the oldest first."""
        return list(self._waiting.values())

    def waiting_orders(self) -> list[OrderNotice]:
        """Return the orders without a push, the oldest first."""
        with_push = {match.order.reference for match in self._matches.values()} | set(self._approved)
        return [order for order in self.orders.values() if order.reference not in with_push]

    def cancel(self, reference: str, now_ms: int) -> list[Action]:
        """Cancel from the Console. Raises KeyError and NotAllowed."""
        transaction = self._transaction(reference)
        if transaction.status is not Status.AUTHORIZED:
            raise NotAllowed("Only an authorised transaction that was not captured can be cancelled.")
        operation = _console(transaction, OperationType.CANCEL, transaction.authorised_cents, now_ms)
        cancelled = transaction.with_operation(operation).changed(
            Event.CANCELLED, operation.amount_cents, now_ms, "cancelled in the Console"
        )
        self.transactions.store(cancelled)
        return [StatusChanged(cancelled, operation), *self._place_waiting(now_ms)]

    def refund(self, reference: str, amount_cents: int, now_ms: int) -> list[Action]:
        """Refund from the Console, at most the captured amount. Raises KeyError and NotAllowed."""
        transaction = self._transaction(reference)
        if transaction.status not in (Status.CAPTURED, Status.PARTIALLY_REFUNDED):
            raise NotAllowed("Only a captured transaction can be refunded.")
        if not 0 < amount_cents <= transaction.refundable_cents - transaction.requested_cents:
            raise NotAllowed(
                "The amount must be above zero and at most the captured amount "
                "less refunds that are done or requested."
            )
        operation = _console(transaction, OperationType.REFUND, amount_cents, now_ms)
        refunded, done = refund(transaction, operation, now_ms, "refunded in the Console")
        self.transactions.store(refunded)
        return [StatusChanged(refunded, done), *self._place_waiting(now_ms)]

    def clear(self) -> None:
        """Forget everything."""
        self.transactions.clear()
        everything: tuple[dict[Any, Any], ...] = (
            self.orders,
            self._waiting,
            self._known_records,
            self._matched_records,
            self._matches,
            self._approved,
            self._debits_notified,
        )
        for kept in everything:
            kept.clear()

    def _transaction(self, reference: str) -> Transaction:
        found = self.transactions.get(reference)
        if found is None:
            raise KeyError(reference)
        return found

    def _place_waiting(self, now_ms: int) -> list[Action]:
        """Place the waiting pushes, repeatedly, until none can be placed."""
        actions: list[Action] = []
        moved = True
        while moved:
            moved = False
            for waiting in sorted(self._waiting.values(), key=_placing_order):
                more, why = self._place(waiting.push, now_ms)
                actions += more
                if why is None:
                    del self._waiting[waiting.push.record_id]
                    moved = True
                else:
                    self._waiting[waiting.push.record_id] = WaitingPush(waiting.push, why)
        return actions

    def _place(self, push: Push, now_ms: int) -> tuple[list[Action], WaitReason | None]:
        match = self._match(push)
        if isinstance(match, WaitReason):
            return [], match
        actions: list[Action] = []
        if push.record_id not in self._matched_records:
            _keep(self._matched_records, push.record_id, None)
            actions.append(PushMatched(push, match))
        placed = self._apply(push, match, now_ms)
        return (actions, placed) if isinstance(placed, WaitReason) else ([*actions, *placed], None)

    def _match(self, push: Push) -> Match | WaitReason:
        known = next((self._matches[key] for key in push.keys if key in self._matches), None)
        match = known or match_order(push, self.orders, self._approved)
        if not isinstance(match, WaitReason):
            for key in push.keys:
                if key not in self._matches:
                    _keep(self._matches, key, match)
            if push.approved and match.order.reference not in self._approved:
                _keep(self._approved, match.order.reference, None)
        return match

    def _apply(self, push: Push, match: Match, now_ms: int) -> list[Action] | WaitReason:
        if push.operation is Operation.DEBIT:
            return place_debit(self.transactions, match, push, now_ms)
        if push.operation is Operation.REVERSAL:
            return place_reversal(self.transactions, match, push, now_ms)
        order = match.order
        notified = self._debits_notified.get((order.merchant_id, order.order_id), [])
        enough = any(debit.amount_cents >= push.amount_cents for debit in notified)
        return place_credit(self.transactions, match, push, now_ms, debit_is_notified=enough)


_Value = TypeVar("_Value")


def _keep(kept: dict[str, _Value], name: str, value: _Value) -> None:
    kept[name] = value
    if len(kept) > KEPT:
        del kept[next(iter(kept))]


def _placing_order(waiting: WaitingPush) -> tuple[int, int]:
    return _ORDER_OF_KINDS[waiting.push.kind], waiting.push.at_ms


def _console(
    transaction: Transaction, kind: OperationType, amount_cents: int, now_ms: int
) -> OperationRecord:
    return OperationRecord(
        id=f"console-{len(transaction.operations) + 1}",
        type=kind,
        amount_cents=amount_cents,
        progress=Progress.DONE,
        at_ms=now_ms,
        reference=None,
        source="console",
    )
