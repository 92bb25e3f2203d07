"""The platform's book: takes orders and pushes in any order, however often, keeps what follows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sandbox.hipay.rules.actions import Effect, PushJoined, StatusChanged
from sandbox.hipay.rules.credits import place_credit, refund
from sandbox.hipay.rules.debits import place_debit, place_reversal
from sandbox.hipay.rules.matching import Joined, Waiting, join
from sandbox.hipay.rules.order_and_push import Kind, Operation, OrderNotice, Push
from sandbox.hipay.rules.statuses import Event, Status
from sandbox.hipay.rules.transaction import OperationRecord, OperationType, Progress, Transaction
from sandbox.hipay.rules.transactions import Transactions

#: The oldest are forgotten beyond.
KEPT: Final = 10_000

_ORDER_OF_KINDS: Final = {Kind.AUTHORISATION: 0, Kind.COMPLETION: 1, Kind.COLLECTION: 2}


class NotAllowed(Exception):
    """Raised where the Console asks for what the transaction does not allow; the message says why."""


@dataclass(frozen=True, slots=True)
class WaitingPush:
    """A push without its other half."""

    push: Push
    why: Waiting


class Ledger:
    """Orders, pushes that wait, transactions."""

    def __init__(self, next_reference: Callable[[], str]) -> None:
        """next_reference: names a new transaction, twelve digits, never the same twice."""
        self.transactions: Final = Transactions(next_reference)
        self.orders: Final[dict[str, OrderNotice]] = {}
        self._waiting: Final[dict[str, WaitingPush]] = {}
        self._seen: Final[dict[str, None]] = {}
        self._told: Final[dict[str, None]] = {}
        #: The order of each transaction, by the gateway's and the terminal's names for it.
        self._joined: Final[dict[str, Joined]] = {}
        #: Payments of which the gateway reported an approval: they fit no other push.
        self._taken: Final[dict[str, None]] = {}
        self._debits_notified: Final[dict[tuple[str, str], list[OrderNotice]]] = {}

    def take_order(self, order: OrderNotice, now_ms: int) -> list[Effect]:
        """Take an order notification; one that is known changes nothing."""
        if order.reference in self.orders:
            return []
        _keep(self.orders, order.reference, order)
        if order.operation is Operation.DEBIT:
            self._debits_notified.setdefault((order.merchant_id, order.order_id), []).append(order)
        return self._settle(now_ms)

    def take_push(self, push: Push, now_ms: int) -> list[Effect]:
        """Take a push; one whose record is known changes nothing."""
        if push.record_id in self._seen:
            return []
        _keep(self._seen, push.record_id, None)
        actions, why = self._place(push, now_ms)
        if why is not None:
            _keep(self._waiting, push.record_id, WaitingPush(push, why))
        return [*actions, *self._settle(now_ms)]

    def knows(self, record_id: str) -> bool:
        """Whether a push of this record came before."""
        return record_id in self._seen

    def waiting_pushes(self) -> list[WaitingPush]:
        """Return the pushes that wait for their other half, the oldest first."""
        return list(self._waiting.values())

    def waiting_orders(self) -> list[OrderNotice]:
        """Return the orders of which the gateway reported nothing yet, the oldest first."""
        with_push = {joined.order.reference for joined in self._joined.values()} | set(self._taken)
        return [order for order in self.orders.values() if order.reference not in with_push]

    def cancel(self, reference: str, now_ms: int) -> list[Effect]:
        """Cancel from the Console. Raises KeyError and NotAllowed."""
        transaction = self._transaction(reference)
        if transaction.status is not Status.AUTHORIZED:
            raise NotAllowed("Only an authorised transaction that was not captured can be cancelled.")
        operation = _console(transaction, OperationType.CANCEL, transaction.authorised_cents, now_ms)
        cancelled = transaction.with_operation(operation).changed(
            Event.CANCELLED, operation.amount_cents, now_ms, "cancelled in the Console"
        )
        self.transactions.store(cancelled)
        return [StatusChanged(cancelled, operation), *self._settle(now_ms)]

    def refund(self, reference: str, amount_cents: int, now_ms: int) -> list[Effect]:
        """Refund from the Console, what was captured at most. Raises KeyError and NotAllowed."""
        transaction = self._transaction(reference)
        if transaction.status not in (Status.CAPTURED, Status.PARTIALLY_REFUNDED):
            raise NotAllowed("Only a captured transaction can be refunded.")
        if not 0 < amount_cents <= transaction.refundable_cents - transaction.requested_cents:
            raise NotAllowed(
                "The amount must be above zero and at most what is left of the captured one, "
                "less what was requested."
            )
        operation = _console(transaction, OperationType.REFUND, amount_cents, now_ms)
        refunded, done = refund(transaction, operation, now_ms, "refunded in the Console")
        self.transactions.store(refunded)
        return [StatusChanged(refunded, done), *self._settle(now_ms)]

    def clear(self) -> None:
        """Forget everything."""
        self.transactions.clear()
        everything: tuple[dict[Any, Any], ...] = (
            self.orders,
            self._waiting,
            self._seen,
            self._told,
            self._joined,
            self._taken,
            self._debits_notified,
        )
        for kept in everything:
            kept.clear()

    def _transaction(self, reference: str) -> Transaction:
        found = self.transactions.get(reference)
        if found is None:
            raise KeyError(reference)
        return found

    def _settle(self, now_ms: int) -> list[Effect]:
        """Try all that waits again, until nothing moves."""
        actions: list[Effect] = []
        moved = True
        while moved:
            moved = False
            for waiting in sorted(self._waiting.values(), key=_turn):
                more, why = self._place(waiting.push, now_ms)
                actions += more
                if why is None:
                    del self._waiting[waiting.push.record_id]
                    moved = True
                else:
                    self._waiting[waiting.push.record_id] = WaitingPush(waiting.push, why)
        return actions

    def _place(self, push: Push, now_ms: int) -> tuple[list[Effect], Waiting | None]:
        joined = self._join(push)
        if isinstance(joined, Waiting):
            return [], joined
        actions: list[Effect] = []
        if push.record_id not in self._told:
            _keep(self._told, push.record_id, None)
            actions.append(PushJoined(push, joined))
        placed = self._apply(push, joined, now_ms)
        return (actions, placed) if isinstance(placed, Waiting) else ([*actions, *placed], None)

    def _join(self, push: Push) -> Joined | Waiting:
        known = next((self._joined[key] for key in push.keys if key in self._joined), None)
        joined = known or join(push, self.orders, self._taken)
        if not isinstance(joined, Waiting):
            for key in push.keys:
                if key not in self._joined:
                    _keep(self._joined, key, joined)
            if push.approved and joined.order.reference not in self._taken:
                _keep(self._taken, joined.order.reference, None)
        return joined

    def _apply(self, push: Push, joined: Joined, now_ms: int) -> list[Effect] | Waiting:
        if push.operation is Operation.DEBIT:
            return place_debit(self.transactions, joined, push, now_ms)
        if push.operation is Operation.REVERSAL:
            return place_reversal(self.transactions, joined, push, now_ms)
        order = joined.order
        notified = self._debits_notified.get((order.merchant_id, order.order_id), [])
        enough = any(debit.amount_cents >= push.amount_cents for debit in notified)
        return place_credit(self.transactions, joined, push, now_ms, debit_is_notified=enough)


_Value = TypeVar("_Value")


def _keep(kept: dict[str, _Value], name: str, value: _Value) -> None:
    kept[name] = value
    if len(kept) > KEPT:
        del kept[next(iter(kept))]


def _turn(waiting: WaitingPush) -> tuple[int, int]:
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
