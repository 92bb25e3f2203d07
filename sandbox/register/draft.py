"""The shop's products, and the draft of a sale: basket, customer, operation, terminal. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from sandbox.pages.formats import LARGEST_AMOUNT_CENTS, cents_of


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

#: Makes the total end in the two digits that choose an outcome.
TEST_AMOUNT: Final = "TEST-AMOUNT"
#: At least so much, in cents: whole euros, so that two digits can be added.
_TEST_AMOUNT_CENTS: Final = 1000

_BY_REFERENCE: Final = {product.reference: product for product in PRODUCTS}


def product_of(reference: str) -> Product | None:
    """Return the product of a reference, or None."""
    return _BY_REFERENCE.get(reference)


LARGEST_QUANTITY: Final = 999
MOST_LINES: Final = 100
LONGEST_TEXT: Final = 1000


class Operation(StrEnum):
    """Operation of an order, by its name in the contract."""

    DEBIT = "Debit"
    REVERSAL = "Cancel"
    CREDIT = "Credit"

    @property
    def word(self) -> str:
        """Return the operation as payments name it."""
        return {"Debit": "debit", "Cancel": "reversal", "Credit": "credit"}[self.value]


class InvalidField(ValueError):
    """Raised for an invalid field; the message is shown to the cashier."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the basket."""

    product: Product
    quantity: int

    @property
    def total_cents(self) -> int:
        return self.product.price_cents * self.quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The fields of the page's form."""

    lines: tuple[Line, ...] = ()
    operation: Operation = Operation.DEBIT
    #: The number of an earlier order, for a reversal or credit; empty: the next one.
    order_id: str = ""
    terminal_id: str = ""
    force_authorization: bool = False
    #: Fields of the contract's `customer` that were typed.
    customer: Mapping[str, str] = field(default_factory=dict)
    #: One `name: value` a line.
    custom_data: str = ""

    @property
    def total_cents(self) -> int:
        return sum(line.total_cents for line in self.lines)


CUSTOMER_FIELDS: Final = ("first_name", "last_name", "email", "phone")


def with_form(draft: Draft, form: Mapping[str, str]) -> Draft:
    """Return the draft with the form's fields; the basket stays."""
    word = form.get("operation", draft.operation)
    customer = {
        name: form[name].strip()[:LONGEST_TEXT] for name in CUSTOMER_FIELDS if form.get(name, "").strip()
    }
    return replace(
        draft,
        operation=Operation(word) if word in set(Operation) else draft.operation,
        order_id=form.get("order_id", "").strip()[:64],
        terminal_id=form.get("terminal_id", draft.terminal_id),
        force_authorization=form.get("force_authorization") == "yes",
        customer=customer,
        custom_data=form.get("custom_data", "").replace("\r\n", "\n")[:LONGEST_TEXT],
    )


def with_product(draft: Draft, reference: str, change: int) -> Draft:
    """Return the draft with one more, or one less, of a product; an empty line is removed."""
    known = next((line for line in draft.lines if line.product.reference == reference), None)
    if known is None:
        product = product_of(reference)
        if product is None or change < 0:
            return draft
        return _checked(replace(draft, lines=(*draft.lines, Line(product, 1))))
    quantity = known.quantity + change
    lines = tuple(
        replace(line, quantity=quantity) if line is known else line
        for line in draft.lines
        if line is not known or quantity > 0
    )
    return _checked(replace(draft, lines=lines))


def with_article(draft: Draft, price: str) -> Draft:
    """Return the draft with an article at a price as typed (`12,51`). Raises NoAmount, InvalidField."""
    reference, name, tax_rate = OPEN_PRICE
    cents = cents_of(price)
    # A reference of its own for each price, so that equal ones share a line.
    product = Product(f"{reference}-{cents}", name, cents, tax_rate)
    known = next((line for line in draft.lines if line.product == product), None)
    if known is not None:
        return with_product(draft, product.reference, 1)
    return _checked(replace(draft, lines=(*draft.lines, Line(product, 1))))


def with_ending(draft: Draft, ending: str) -> Draft:
    """Return the draft with a test amount that makes the total end in two digits, in place of an earlier one.

    Raises InvalidField.
    """
    if not (ending.isascii() and ending.isdigit() and len(ending) == 2):
        raise InvalidField("Choose an outcome of the list.")
    lines = tuple(line for line in draft.lines if line.product.reference != TEST_AMOUNT)
    rest_cents = sum(line.total_cents for line in lines)
    cents = _TEST_AMOUNT_CENTS + (int(ending) - rest_cents) % 100
    product = Product(TEST_AMOUNT, "Test amount", cents, OPEN_PRICE[2])
    return _checked(replace(draft, lines=(*lines, Line(product, 1))))


def custom_data_of(text: str) -> dict[str, str]:
    """Return the pairs of `name: value` lines. Raises InvalidField."""
    pairs = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if not line.strip():
            continue
        if not colon or not name.strip():
            raise InvalidField("Custom data: one 'name: value' a line.")
        pairs[name.strip()] = value.strip()
    return pairs


def _checked(draft: Draft) -> Draft:
    if len(draft.lines) > MOST_LINES or any(line.quantity > LARGEST_QUANTITY for line in draft.lines):
        raise InvalidField("The basket is full.")
    if draft.total_cents > LARGEST_AMOUNT_CENTS:
        raise InvalidField("The basket costs more than this register can take.")
    return draft
