"""Schema of one item of the basket."""

from typing import Any, Final

from api.connector.enums import BASKET_ITEM_TYPES

BASKET_ITEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "One product, discount or fee of the purchase. Amounts are in euros, tax included.",
    "required": [
        "product_reference",
        "name",
        "type",
        "quantity",
        "unit_price",
        "tax_rate",
        "total_amount",
    ],
    "properties": {
        "product_reference": {
            "type": "string",
            "description": "The shop's reference of the product.",
            "examples": ["CROISSANT"],
        },
        "name": {"type": "string", "description": "Name of the product.", "examples": ["Croissant"]},
        "type": {
            "type": "string",
            "enum": list(BASKET_ITEM_TYPES),
            "description": "Kind of the item.",
            "examples": ["good"],
        },
        "quantity": {"type": "integer", "description": "How many pieces.", "examples": [2]},
        "unit_price": {"type": "number", "description": "Price of one piece.", "examples": [1.25]},
        "tax_rate": {"type": "number", "description": "Tax in percent.", "examples": [5.5]},
        "discount": {
            "type": "number",
            "description": "Zero or negative. A positive one is read as the same discount.",
            "examples": [-0.5],
        },
        "total_amount": {
            "type": "number",
            "description": "Quantity times unit price, less the discount. A total that does not fit is "
            "never refused; the answer's `payment.warnings` names it.",
            "examples": [2.0],
        },
        "european_article_numbering": {
            "description": "EAN of the product; kept and passed on.",
            "examples": ["3017620422003"],
        },
        "product_category": {"description": "Category; kept and passed on.", "examples": [1]},
        "url": {
            "description": "Page of the product; kept and passed on.",
            "examples": ["http://127.0.0.1/croissant"],
        },
    },
}
