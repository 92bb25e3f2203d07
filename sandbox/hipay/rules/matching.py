"""Which order a push belongs to.

Rule 1. A push that carries our reference belongs to that payment, or waits for its notification.
Rule 2. One without belongs to the order whose contract, rank, operation and amount it has, made within a
session's time before it, if exactly one such order is still without a transaction. Else it waits.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sandbox.hipay.rules.order_and_push import OrderNotice, Push

#: From an order to the end of its session at most: 30 s in the queue, 15 s to the write, 240 s at the
#: terminal, and some for clocks that differ.
SESSION_MS: Final = 300_000
#: A terminal's clock may be so much behind ours.
CLOCK_DIFFERENCE_MS: Final = 5_000


class By(StrEnum):
    """How the halves were joined."""

    REFERENCE = "reference"
    FIT = "contract, rank and amount"


class Waiting(StrEnum):
    """Why a push waits."""

    NO_NOTIFICATION = "its order notification has not come"
    NO_ORDER_FITS = "no order has its contract, rank and amount at that time"
    SEVERAL_ORDERS_FIT = "more than one order has its contract, rank and amount at that time"
    NO_AUTHORISATION = "its authorisation is not here yet"
    DEBIT_MISSING = "the debit that it belongs to is not here yet"
    DEBIT_NOT_CAPTURED = "the debit that it refunds is not captured yet"
    DEBIT_CAPTURED = "the debit that it reverses is already captured"
    REFUSED = "its authorisation was refused"


@dataclass(frozen=True, slots=True)
class Joined:
    """The order of a push."""

    order: OrderNotice
    by: By


def join(push: Push, orders: Mapping[str, OrderNotice], taken: Collection[str]) -> Joined | Waiting:
    """Return the order, or why there is none.

    orders: by reference. taken: references of orders that have what they asked for, and fit no more.
    """
    if push.reference is not None:
        named = orders.get(push.reference)
        return Waiting.NO_NOTIFICATION if named is None else Joined(named, By.REFERENCE)
    fitting = [order for order in orders.values() if order.reference not in taken and fits(push, order)]
    if len(fitting) == 1:
        return Joined(fitting[0], By.FIT)
    return Waiting.SEVERAL_ORDERS_FIT if fitting else Waiting.NO_ORDER_FITS


def fits(push: Push, order: OrderNotice) -> bool:
    """Whether the push may be this order's, by all that both say. An order without contracts fits none."""
    age_ms = push.at_ms - order.created_at_ms
    return (
        push.operation is order.operation
        and push.amount_cents == order.amount_cents
        and push.currency == order.currency
        and -CLOCK_DIFFERENCE_MS <= age_ms <= SESSION_MS
        and any(
            contract.merchant_contract == push.contract and contract.rank in (None, push.rank)
            for contract in order.contracts
        )
    )
