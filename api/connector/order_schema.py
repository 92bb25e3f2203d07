"""Schema of the order."""

from typing import Any, Final

from api.connector.basket_schema import BASKET_ITEM
from api.connector.enums import CURRENCIES, OPERATIONS

#: The 12 digits of the protocol's amount field.
MAXIMUM_AMOUNT_CENTS: Final = 999_999_999_999
#: A full trolley has some hundred; each is looked at.
MAXIMUM_BASKET_ITEMS: Final = 1_000

PRICE: Final[dict[str, Any]] = {
    "type": "object",
    "description": "What is asked for.",
    "required": ["amount"],
    "properties": {
        "amount": {
            "type": "integer",
            # Both, so that -1 is answered in the contract's words and 0 by a refusal of its own.
            "minimum": 0,
            "exclusiveMinimum": 0,
            "maximum": MAXIMUM_AMOUNT_CENTS,
            "description": "Amount in the currency's smallest unit: 100 is 1 euro. 0 is refused.",
            "examples": [100],
            "x-refused": {
                "exclusiveMinimum": "an amount of 0 cannot be asked of a terminal, it must be 1 cent or more"
            },
        },
        "currency": {
            "type": "string",
            "enum": list(CURRENCIES),
            "default": "EUR",
            "description": "ISO 4217 code. Only the euro is handled.",
            "examples": ["EUR"],
        },
        "tax_fees": {"description": "Kept and passed on.", "examples": [0.2]},
        "shipping_fees": {"description": "Kept and passed on.", "examples": [0]},
    },
}

ORDER: Final[dict[str, Any]] = {
    "type": "object",
    "description": "What is sold.",
    "required": ["order_id", "price"],
    "properties": {
        "order_id": {
            "type": "string",
            "minLength": 1,
            "maxLength": 64,
            "pattern": "^[^\\u0000]*$",
            "description": "The merchant's unique number of the order. With `transaction_type` it names the "
            "operation: the same one sent again is answered from the first, never charged again.",
            "examples": ["ORDER_1"],
            "x-refused": {"pattern": "order_id must not contain U+0000 or a lone surrogate"},
        },
        "transaction_type": {
            "type": "string",
            "enum": list(OPERATIONS),
            "default": "Debit",
            "description": "`Debit` charges the card, `Credit` pays back, `Cancel` reverses a debit.",
            "examples": ["Debit"],
        },
        "price": PRICE,
        "basket": {
            "type": "array",
            "maxItems": MAXIMUM_BASKET_ITEMS,
            "description": "What was bought.",
            "items": BASKET_ITEM,
        },
        "description": {
            "type": "string",
            "default": "POS payment",
            "description": "Short description of the order.",
            "examples": ["POS payment"],
        },
        "custom_data": {
            "type": "object",
            "description": "Free pairs of the merchant's; shown in the Console, returned in the answer and "
            "in the notifications.",
            "examples": [{"shop": "Nantes", "till": 3}],
        },
        "initialize_payment_terminal": {
            "type": "boolean",
            "enum": [True],
            "default": True,
            "description": "`false` means that the terminal must not be woken: such an order is refused.",
            "examples": [True],
            "x-refused": {
                "enum": "with initialize_payment_terminal false the terminal must not be woken, so nothing "
                "can be paid"
            },
        },
        "long_description": {"description": "Kept and passed on.", "examples": ["Two croissants"]},
        "soft_descriptor": {"description": "Kept and passed on.", "examples": ["BAKERY"]},
        "webhook_endpoint_id": {
            "type": "string",
            "minLength": 1,
            "maxLength": 64,
            "pattern": "^[^\\u0000]*$",
            "description": "Addition of this project: the only registered webhook endpoint that is told of "
            "this order.",
            "examples": ["whe_01JNK4T0V8W9A4C6Q2Y3ZB5XDE"],
            "x-refused": {"pattern": "webhook_endpoint_id must not contain U+0000 or a lone surrogate"},
        },
    },
}
