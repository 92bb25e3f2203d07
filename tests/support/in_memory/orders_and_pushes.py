"""Orders and pushes for tests of HiPay's rules, and a ledger whose references are 1, 2, ..."""

import itertools
from typing import Any

from sandbox.hipay.rules.ledger import Ledger
from sandbox.hipay.rules.order_and_push import Contract, Kind, Operation, OrderNotice, Push
from sandbox.hipay.rules.transaction import Action, StatusChanged

#: When every order of these tests was accepted.
T0 = 1_772_712_418_123
CONTRACT = Contract("1999403", "001")


def payment(number: int) -> str:
    """Return a payment id."""
    return f"pay_{number:026d}"


def order(
    number: int = 1, cents: int = 4000, operation: Operation = Operation.DEBIT, **more: Any
) -> OrderNotice:
    """Return payment `number` of the merchant's order ORDER_1."""
    fields: dict[str, Any] = {
        "reference": payment(number),
        "merchant_id": "mer_1",
        "order_id": "ORDER_1",
        "operation": operation,
        "amount_cents": cents,
        "currency": "EUR",
        "created_at_ms": T0,
        "contracts": (CONTRACT,),
        **more,
    }
    return OrderNotice(**fields)


def push(
    kind: Kind,
    number: int | None = 1,
    cents: int = 4000,
    operation: Operation = Operation.DEBIT,
    *,
    transaction: int | None = None,
    online: bool = True,
    **more: Any,
) -> Push:
    """Return a push of payment `number` (None: it carries no reference).

    transaction: its number at terminal and gateway, the payment's where it is not given.
    online: an authorisation was asked for.
    """
    name = transaction if transaction is not None else number
    fields: dict[str, Any] = {
        "record_id": f"{name}/{kind}",
        "kind": kind,
        "operation": operation,
        "amount_cents": cents,
        "currency": "EUR",
        "approved": True,
        "code": "00",
        "reference": None if number is None else payment(number),
        "authorisation_id": f"aut_{name}" if online else None,
        "transaction_id": None if kind is Kind.AUTHORISATION else f"SN/{name}",
        "at_ms": T0 + 20_000,
        "contract": CONTRACT.merchant_contract,
        "rank": CONTRACT.rank,
        "masked_pan": "497010******7893",
        "brand": "cb",
        **more,
    }
    return Push(**fields)


def new_ledger() -> Ledger:
    """Return an empty ledger."""
    numbers = itertools.count(1)
    return Ledger(lambda: f"{next(numbers):012d}")


def take(ledger: Ledger, *messages: OrderNotice | Push) -> list[Action]:
    """Give the ledger all messages, a second apart; return the actions."""
    actions: list[Action] = []
    for number, message in enumerate(messages):
        now_ms = T0 + 30_000 + number * 1000
        if isinstance(message, Push):
            actions += ledger.take_push(message, now_ms)
        else:
            actions += ledger.take_order(message, now_ms)
    return actions


def statuses(actions: list[Action]) -> list[int]:
    """Return the statuses that the merchant is notified of, in their order."""
    return [int(action.transaction.status) for action in actions if isinstance(action, StatusChanged)]
