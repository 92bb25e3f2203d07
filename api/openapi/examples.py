"""Example requests and answers of the document and the reference; loopback addresses only."""

from typing import Any, Final

EXAMPLE_REQUEST: Final[dict[str, Any]] = {
    "order": {
        "order_id": "ORDER_1",
        "transaction_type": "Debit",
        "price": {"amount": 100, "currency": "EUR"},
    },
    "pos_technical_info": {
        "host_information": {"host": "127.0.0.2", "port": 8888},
        "terminal_transaction_display": {
            "protocol": "ConcertV3.2",
            "contract_array": [{"merchant_contract": "1234567", "rank": "001", "payment_application": "001"}],
        },
    },
}

MINIMAL_REQUEST: Final[dict[str, Any]] = {
    "order": {"order_id": "ORDER_2", "price": {"amount": 250}},
    "pos_technical_info": {
        "host_information": {"host": "127.0.0.2"},
        "terminal_transaction_display": {"contract_array": []},
    },
}

FULL_REQUEST: Final[dict[str, Any]] = {
    "order": {
        "order_id": "ORDER_3",
        "transaction_type": "Debit",
        "price": {"amount": 250, "currency": "EUR", "tax_fees": 0.13, "shipping_fees": 0},
        "basket": [
            {
                "product_reference": "CROISSANT",
                "name": "Croissant",
                "type": "good",
                "quantity": 2,
                "unit_price": 1.5,
                "tax_rate": 5.5,
                "discount": -0.5,
                "total_amount": 2.5,
                "european_article_numbering": "3017620422003",
                "product_category": 1,
                "url": "http://127.0.0.1/croissant",
            }
        ],
        "description": "Breakfast",
        "custom_data": {"shop": "Nantes", "till": 3},
        "initialize_payment_terminal": True,
        "long_description": "Two croissants",
        "soft_descriptor": "BAKERY",
    },
    "customer": {
        "customer_id": "C-1001",
        "email": "jane.doe@example.org",
        "phone": "0600000000",
        "first_name": "Jane",
        "last_name": "Doe",
        "birthdate": "1990-01-31",
        "gender": "F",
        "customer_location": {"city": "Nantes"},
    },
    "shipping": {"city": "Nantes"},
    "pos_technical_info": {
        "notify_url": "http://127.0.0.1:9000/notifications",
        "host_information": {"host": "127.0.0.2", "port": 8888},
        "terminal_transaction_display": {
            "protocol": "ConcertV3.2",
            "force_authorization": False,
            "push_to": "POS",
            "contract_array": [{"merchant_contract": "1234567", "rank": "001", "payment_application": "001"}],
        },
        "device_information": {"serial_number": "19090CT21450177", "manufacturer": "Ingenico"},
    },
}

#: The example order as it is echoed: defaults filled in.
_ECHO: Final[dict[str, Any]] = {
    "order": {
        **EXAMPLE_REQUEST["order"],
        "description": "POS payment",
        "initialize_payment_terminal": True,
    },
    "customer": {},
    "technical_pos_info": EXAMPLE_REQUEST["pos_technical_info"],
    "pos_technical_info": EXAMPLE_REQUEST["pos_technical_info"],
}

EXAMPLE_PAYMENT_ID: Final = "pay_01JNK4T0V8W9A4C6Q2Y3ZB5XDE"

_PAYMENT: Final[dict[str, Any]] = {
    "id": EXAMPLE_PAYMENT_ID,
    "order_id": "ORDER_1",
    "operation": "debit",
    "state": "succeeded",
    "safe_to_retry": False,
    "replayed": False,
    "amount": 100,
    "currency": "EUR",
    "created_at": "2026-03-05T12:06:41.007Z",
    "warnings": [],
}

_ENDED: Final = {
    **_PAYMENT,
    "claimed_at": "2026-03-05T12:06:41.019Z",
    "ended_at": "2026-03-05T12:06:58.123Z",
}

SUCCESS_ANSWER: Final[dict[str, Any]] = {
    "paymentStatus": "Success",
    "receipt": "Q0FSVEUgQkFOQ0FJUkUKTU9OVEFOVCA6CjEsMDAgRVVSCkRFQklUClRJQ0tFVCBDTElFTlQK",
    **_ECHO,
    "payment": {
        **_ENDED,
        "authorisation_number": "184117",
        "masked_card": "497010******0003",
        "application": "00B",
        "application_name": "CB/Visa/Mastercard contactless",
        "aid": "A0000000421010",
    },
}

FAILURE_ANSWER: Final[dict[str, Any]] = {
    "paymentStatus": "Failed",
    "receipt": "",
    "errorCode": "04",
    "errorDescription": "refused",
    "errorData": {"state": "refused"},
    **_ECHO,
    "payment": {**_ENDED, "state": "refused", "safe_to_retry": True},
}

#: The answer to a client that does not wait.
PAYMENT_QUEUED: Final[dict[str, Any]] = {
    **_PAYMENT,
    "state": "queued",
    "expires_at": "2026-03-05T12:07:11.000Z",
}

#: Beside an error: a payment whose outcome is not known.
PAYMENT_IN_DOUBT: Final[dict[str, Any]] = {
    **_PAYMENT,
    "state": "in_doubt",
    "reason": "answer_timeout",
    "resolving": True,
    "claimed_at": "2026-03-05T12:06:41.019Z",
}
