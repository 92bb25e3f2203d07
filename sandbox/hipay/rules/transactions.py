"""Index of all transactions: by reference, by push, by order."""

from collections.abc import Callable, Iterator
from typing import Final

from sandbox.hipay.rules.order_and_push import Operation, OrderNotice, Push
from sandbox.hipay.rules.statuses import Status
from sandbox.hipay.rules.transaction import Transaction

#: Older transactions are dropped.
KEPT_TRANSACTIONS: Final = 10_000


class Transactions:
    """Transactions by reference, in the order in which they began; the newest version of each."""

    def __init__(self, next_reference: Callable[[], str]) -> None:
        self.next_reference: Final = next_reference
        self._transactions: Final[dict[str, Transaction]] = {}
        self._by_key: Final[dict[str, str]] = {}
        self._by_order: Final[dict[tuple[str, str], list[str]]] = {}

    def __iter__(self) -> Iterator[Transaction]:
        return iter(self._transactions.values())

    def __len__(self) -> int:
        return len(self._transactions)

    def get(self, reference: str) -> Transaction | None:
        return self._transactions.get(reference)

    def store(self, transaction: Transaction) -> None:
        """Store the transaction in place of its earlier version."""
        if transaction.reference not in self._transactions:
            order = transaction.order
            self._by_order.setdefault((order.merchant_id, order.order_id), []).append(transaction.reference)
        self._transactions[transaction.reference] = transaction
        if len(self._transactions) > KEPT_TRANSACTIONS:
            self._forget(next(iter(self._transactions.values())))
        for push in transaction.pushes:
            for key in push.keys:
                self._by_key.setdefault(key, transaction.reference)

    def of_push(self, push: Push) -> Transaction | None:
        """Return the push's transaction, by its ids at gateway and terminal."""
        for key in push.keys:
            if key in self._by_key:
                return self._transactions[self._by_key[key]]
        return None

    def of_payment(self, order: OrderNotice) -> list[Transaction]:
        """Return the transactions of this very payment."""
        return [one for one in self.of_order(order) if one.order.reference == order.reference]

    def of_order(self, order: OrderNotice) -> list[Transaction]:
        """Return all transactions of the merchant's order, the oldest first."""
        references = self._by_order.get((order.merchant_id, order.order_id), [])
        return [self._transactions[reference] for reference in references]

    def debits_of_order(self, order: OrderNotice) -> list[Transaction]:
        """Return the order's debits that are neither refused nor cancelled, the newest first."""
        return [one for one in reversed(self.of_order(order)) if one.is_live_debit]

    def authorised_debit(self, order: OrderNotice, amount_cents: int) -> Transaction | None:
        """Return the order's newest authorised debit of this amount, see `is_of_amount`."""
        return next(
            (
                one
                for one in self.debits_of_order(order)
                if one.status is Status.AUTHORIZED and one.is_of_amount(amount_cents)
            ),
            None,
        )

    def debit_cancelled_by_hand(self, order: OrderNotice, amount_cents: int) -> Transaction | None:
        """Return the order's newest debit of this amount that only the Console cancelled."""
        return next(
            (
                one
                for one in reversed(self.of_order(order))
                if one.operation is Operation.DEBIT
                and one.status is Status.CANCELLED
                and one.is_of_amount(amount_cents)
                and all(done.reference is None for done in one.operations)
            ),
            None,
        )

    def open_of_payment(self, order: OrderNotice, operation: Operation) -> Transaction | None:
        """Return the payment's transaction that waits for its collection."""
        awaiting = (Status.AUTHORIZED, Status.CREDIT_REQUESTED)
        return next(
            (one for one in self.of_payment(order) if one.operation is operation and one.status in awaiting),
            None,
        )

    def _forget(self, oldest: Transaction) -> None:
        del self._transactions[oldest.reference]
        self._by_order[oldest.order.merchant_id, oldest.order.order_id].remove(oldest.reference)
        for push in oldest.pushes:
            for key in push.keys:
                self._by_key.pop(key, None)

    def clear(self) -> None:
        self._transactions.clear()
        self._by_key.clear()
        self._by_order.clear()
