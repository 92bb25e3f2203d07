"""Orders of the public API: a draft's, and the reversal or credit of a debit's. Pure."""

from decimal import Decimal
from typing import Any, Final

from sandbox.register.draft import Draft, InvalidField, Line, Operation, custom_data_of

Json = dict[str, Any]

#: The shop's card contract, for contact and contactless cards. Two entries force neither, and let HiPay match
#: by contract, rank and amount.
CONTRACTS: Final = tuple(
    {"merchant_contract": "1999403", "rank": "001", "payment_application": application}
    for application in ("001", "00B")
)


def order_of(draft: Draft, order_id: str) -> Json:
    """Return the draft's order; `order_id`: the number where none was typed. Raises InvalidField."""
    if not draft.total_cents:
        raise InvalidField("The basket is empty: choose something to pay for.")
    if not draft.terminal_id:
        raise InvalidField("No terminal is registered.")
    custom_data = custom_data_of(draft.custom_data)
    body = _body(
        draft.order_id or order_id,
        draft.operation,
        draft.total_cents,
        draft.terminal_id,
        force_authorization=draft.force_authorization,
    )
    if draft.operation is Operation.DEBIT:
        body["order"]["basket"] = [_item(line) for line in draft.lines]
    if custom_data:
        body["order"]["custom_data"] = custom_data
    if draft.customer:
        body["customer"] = dict(draft.customer)
    return body


def following(order: Json, operation: Operation, amount_cents: int) -> Json:
    """Return the reversal or credit of a debit's order, with its number and its terminal."""
    terminal_id = order["pos_technical_info"]["terminal_id"]
    return _body(order["order"]["order_id"], operation, amount_cents, terminal_id, force_authorization=False)


def _body(
    order_id: str, operation: Operation, amount_cents: int, terminal_id: str, *, force_authorization: bool
) -> Json:
    return {
        "order": {
            "order_id": order_id,
            "transaction_type": operation.value,
            "price": {"amount": amount_cents, "currency": "EUR"},
        },
        "pos_technical_info": {
            "terminal_id": terminal_id,
            "terminal_transaction_display": {
                "protocol": "ConcertV3.2",
                "force_authorization": force_authorization,
                "contract_array": [dict(entry) for entry in CONTRACTS],
            },
        },
    }


def _item(line: Line) -> Json:
    product = line.product
    return {
        "product_reference": product.reference,
        "name": product.name,
        "type": "good",
        "quantity": line.quantity,
        "unit_price": _euros(product.price_cents),
        "tax_rate": product.tax_rate,
        "total_amount": _euros(line.total_cents),
    }


def _euros(cents: int) -> float:
    return float(Decimal(cents) / 100)
