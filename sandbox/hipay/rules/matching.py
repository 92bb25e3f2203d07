"""Matching of a push to its order. Pure.

Rule 1. A push that carries a payment's reference belongs to that payment, or waits for its notification.
Rule 2. A push without one belongs to the order with its contract, rank, operation and amount, accepted within
a session's time before it, if exactly one such order is without an approved push. Else it waits.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sandbox.hipay.rules.order_and_push import OrderNotice, Push

#: From an order to the end of its session: at most 30 s in the queue, 15 s to the write, 240 s at the
#: terminal, and a reserve for clocks that differ.
SESSION_MS: Final = 300_000
#: Lag of a terminal's clock behind the API's.
CLOCK_DIFFERENCE_MS: Final = 5_000


class MatchedBy(StrEnum):
    """Rule by which order and push matched."""

    REFERENCE = "reference"
    FIT = "contract, rank and amount"


class WaitReason(StrEnum):
    """Reason why a push waits."""

    NO_NOTIFICATION = "its order notification has not come"
    NO_ORDER_FITS = "no order has its contract, rank and amount at that time"
    SEVERAL_ORDERS_FIT = "more than one order has its contract, rank and amount at that time"
    NO_AUTHORISATION = "its authorisation is not here yet"
    DEBIT_MISSING = "the debit that it belongs to is not here yet"
    DEBIT_NOT_CAPTURED = "the debit that it refunds is not captured yet"
    DEBIT_CAPTURED = "the debit that it reverses is already captured"
    REFUSED = "its authorisation was refused"


@dataclass(frozen=True, slots=True)
class Match:
    """The order of a push."""

    order: OrderNotice
    by: MatchedBy


def match_order(
    push: Push, orders: Mapping[str, OrderNotice], approved: Collection[str]
) -> Match | WaitReason:
    """Return the push's order, or the reason why it waits.

    orders: by reference. approved: references of orders with an approved push, which fit no other.
    """
    if push.reference is not None:
        named = orders.get(push.reference)
        return WaitReason.NO_NOTIFICATION if named is None else Match(named, MatchedBy.REFERENCE)
    fitting = [order for order in orders.values() if order.reference not in approved and fits(push, order)]
    if len(fitting) == 1:
        return Match(fitting[0], MatchedBy.FIT)
    return WaitReason.SEVERAL_ORDERS_FIT if fitting else WaitReason.NO_ORDER_FITS


def fits(push: Push, order: OrderNotice) -> bool:
    """Return whether all facts of push and order agree; an order without contracts fits no push."""
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
