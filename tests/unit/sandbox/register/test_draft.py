"""The cashier's draft becomes the order of the contract."""

import json

import pytest

from api.connector.request import parse_order
from sandbox.cards import DECK, Mode
from sandbox.pages.formats import NoAmount
from sandbox.register.draft import (
    Draft,
    InvalidField,
    Operation,
    with_article,
    with_ending,
    with_form,
    with_product,
)
from sandbox.register.order import CONTRACTS, following, order_of
from sandbox.terminal.device.device import Device
from shared.concert.encode import sole_application

FORM = {
    "operation": "Debit",
    "terminal_id": "counter-1",
    "force_authorization": "yes",
    "first_name": " Jane ",
    "email": "",
    "custom_data": "till: 3\nshop: Nantes: centre\n",
}


def test_a_basket_counts_its_pieces() -> None:
    """One more, one less; an empty line is removed."""
    draft = with_product(with_product(Draft(), "BAGUETTE", 1), "BAGUETTE", 1)

    assert (draft.lines[0].quantity, draft.total_cents) == (2, 260)
    assert with_product(with_product(draft, "BAGUETTE", -1), "BAGUETTE", -1).lines == ()
    assert with_product(draft, "NOTHING", 1) == draft


def test_an_article_takes_a_typed_price() -> None:
    """Equal prices share a line, as equal products do."""
    draft = with_article(with_article(with_article(Draft(), "12,51"), "12.51"), "3")

    assert [(line.quantity, line.total_cents) for line in draft.lines] == [(2, 2502), (1, 300)]


@pytest.mark.parametrize("text", ["abc", "1e999999"])
def test_an_invalid_price_is_an_error(text: str) -> None:
    """For the cashier, before any request."""
    with pytest.raises(NoAmount):
        with_article(Draft(), text)


@pytest.mark.parametrize("reference", ["TARTE", "BAGUETTE", None])
def test_a_test_amount_makes_the_total_end_in_two_digits(reference: str | None) -> None:
    """Whatever is in the basket; choosing another outcome replaces it."""
    draft = Draft() if reference is None else with_product(Draft(), reference, 1)
    rest_cents = draft.total_cents

    for ending in ("51", "00", "99"):
        draft = with_ending(draft, ending)
        assert draft.total_cents % 100 == int(ending)
        assert 1000 <= draft.total_cents - rest_cents < 1100


@pytest.mark.parametrize("ending", ["", "5", "512", "-1", "\u0665\u0661", "ab"])
def test_an_unknown_ending_is_an_error(ending: str) -> None:
    """The form's fields may be anything."""
    with pytest.raises(InvalidField):
        with_ending(Draft(), ending)


def test_the_order_fulfils_the_contract() -> None:
    """The API's own reader accepts it, without a warning about its totals."""
    draft = with_form(with_article(with_product(Draft(), "TARTE", 1), "12.51"), FORM)

    order = order_of(draft, "POS1-1")

    parse_order(json.dumps(order).encode(), 64)
    assert order["order"]["price"] == {"amount": 3101, "currency": "EUR"}
    assert [item["total_amount"] for item in order["order"]["basket"]] == [18.5, 12.51]
    assert order["order"]["custom_data"] == {"till": "3", "shop": "Nantes: centre"}
    assert order["customer"] == {"first_name": "Jane"}
    assert order["pos_technical_info"]["terminal_transaction_display"]["force_authorization"]


def test_the_contract_is_the_one_that_the_terminal_reports() -> None:
    """By it HiPay matches a push without reference; two entries force neither way of reading."""
    device = Device()

    assert {(one["merchant_contract"], one["rank"]) for one in CONTRACTS} == {(device.contract, device.rank)}
    assert [one["payment_application"] for one in CONTRACTS] == [DECK[0].application(mode) for mode in Mode]
    assert sole_application(CONTRACTS) == (None, None)


def test_a_reversal_names_its_debits_order_and_terminal() -> None:
    """Without a basket, and with the amount that was paid."""
    debit = order_of(with_form(with_product(Draft(), "TARTE", 1), FORM), "POS1-1")

    reversal = following(debit, Operation.REVERSAL, 1850)

    assert reversal["order"] == {
        "order_id": "POS1-1",
        "transaction_type": "Cancel",
        "price": {"amount": 1850, "currency": "EUR"},
    }
    assert reversal["pos_technical_info"]["terminal_id"] == "counter-1"


def test_an_empty_basket_is_not_sent() -> None:
    """Nor custom data that cannot be read."""
    with pytest.raises(InvalidField, match="empty"):
        order_of(with_form(Draft(), FORM), "POS1-1")
    with pytest.raises(InvalidField, match="Custom data"):
        order_of(with_form(with_product(Draft(), "TARTE", 1), {**FORM, "custom_data": "no colon"}), "POS1-1")
