"""The shop's products."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Product:
    """One article; `tax_rate` in percent."""

    reference: str
    name: str
    price_cents: int
    tax_rate: float


PRODUCTS: Final = (
    Product("BAGUETTE", "Baguette", 130, 5.5),
    Product("CROISSANT", "Croissant", 145, 5.5),
    Product("CAFE", "Café crème", 320, 10.0),
    Product("TARTE", "Tarte aux pommes", 1850, 5.5),
    Product("MACARONS", "Macarons, a dozen", 2400, 5.5),
    Product("GATEAU", "Gâteau, eight people", 4200, 5.5),
)
#: An article without a name of its own, at the price that the cashier types.
OPEN_PRICE: Final = ("ARTICLE", "Article", 20.0)

_BY_REFERENCE: Final = {product.reference: product for product in PRODUCTS}


def product_of(reference: str) -> Product | None:
    """Return the product of a reference, or None."""
    return _BY_REFERENCE.get(reference)
