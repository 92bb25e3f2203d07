from api.connector.request import parse_order
from api.http.json_text import write_json
from sandbox.demo.desk import full_debit, order
from shared.payment.payment import Operation


def test_every_kind_of_order_is_one_that_the_contract_takes() -> None:
    """The demo shows requests that others may copy."""
    for kind, operation in (
        ("Debit", Operation.DEBIT),
        ("Cancel", Operation.REVERSAL),
        ("Credit", Operation.CREDIT),
    ):
        parsed = parse_order(write_json(order("ORDER_1", 640, "127.0.0.2", 8888, kind=kind)).encode(), 32)

        assert (parsed.operation, parsed.amount_cents, parsed.host) == (operation, 640, "127.0.0.2")
        assert parsed.warnings == ()


def test_the_full_debit_has_basket_customer_and_custom_data_that_the_contract_takes() -> None:
    """And names one contract, which the terminal then has to use."""
    parsed = parse_order(write_json(full_debit("ORDER_1", 4250, "127.0.0.2", 8888)).encode(), 32)

    assert parsed.request["order"]["basket"][0]["name"] == "Croissant au beurre"
    assert parsed.request["order"]["custom_data"] == {"shop": "Canal", "register": 3}
    assert parsed.request["customer"]["email"] == "jane.doe@example.org"
    display = parsed.request["pos_technical_info"]["terminal_transaction_display"]
    assert [entry["merchant_contract"] for entry in display["contract_array"]] == ["1999403"]
    assert parsed.warnings == ()


def test_the_basket_sums_up_to_the_amount() -> None:
    """The first debit is for 42.50 euros."""
    basket = full_debit("ORDER_1", 4250, "127.0.0.2", 8888)["order"]["basket"]

    assert round(100 * sum(article["total_amount"] for article in basket)) == 4250
