"""The orders that the demo sends, as the contract wants them."""

from typing import Any, Final

Order = dict[str, Any]

BASKET: Final[list[dict[str, Any]]] = [
    {
        "product_reference": "CROISSANT",
        "name": "Croissant au beurre",
        "type": "good",
        "quantity": 10,
        "unit_price": 1.25,
        "tax_rate": 5.5,
        "discount": -1.0,
        "total_amount": 11.5,
    },
    {
        "product_reference": "FRAISIER",
        "name": "Fraisier, 8 parts",
        "type": "good",
        "quantity": 1,
        "unit_price": 31.0,
        "tax_rate": 5.5,
        "total_amount": 31.0,
    },
]
CUSTOMER: Final = {
    "customer_id": "C-1001",
    "email": "jane.doe@example.org",
    "first_name": "Jane",
    "last_name": "Doe",
}
CUSTOM_DATA: Final = {"shop": "Canal", "register": 3}
#: The merchant's contract and the payment application (CB, contact) that the terminal shall use.
CONTRACT: Final = {"merchant_contract": "1999403", "rank": "001", "payment_application": "001"}


def order(order_id: str, amount_cents: int, host: str, port: int, *, kind: str = "Debit") -> Order:
    """Return an order with the contract's mandatory fields; `kind` is Debit, Cancel or Credit."""
    return {
        "order": {
            "order_id": order_id,
            "transaction_type": kind,
            "price": {"amount": amount_cents, "currency": "EUR"},
        },
        "pos_technical_info": {
            "host_information": {"host": host, "port": port},
            "terminal_transaction_display": {"protocol": "ConcertV3.2", "contract_array": []},
        },
    }


def full_debit(order_id: str, amount_cents: int, host: str, port: int) -> Order:
    """Return a debit with basket, customer and custom data, for one of the merchant's contracts."""
    asked = order(order_id, amount_cents, host, port)
    asked["order"] |= {"basket": BASKET, "description": "Breakfast", "custom_data": CUSTOM_DATA}
    asked["customer"] = dict(CUSTOMER)
    asked["pos_technical_info"]["terminal_transaction_display"]["contract_array"] = [CONTRACT]
    return asked
