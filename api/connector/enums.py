"""The closed lists of the contract."""

from typing import Final

from shared.concert import fields as concert_fields
from shared.payment.payment import Operation

#: The contract's `transaction_type`, and what it means here.
OPERATIONS: Final = {
    "Debit": Operation.DEBIT,
    "Credit": Operation.CREDIT,
    "Cancel": Operation.REVERSAL,
}

#: `AppNepting`, which the older POS file lists as well, is no Concert terminal: it is refused.
PROTOCOLS: Final = tuple(concert_fields.VERSIONS)

#: The terminal is asked in euros only.
CURRENCIES: Final = tuple(concert_fields.CURRENCIES)

#: `SDK` and `ECR` mean that somebody else wakes the terminal: charging on them would be a second payment.
PUSH_TARGETS: Final = ("POS",)

BASKET_ITEM_TYPES: Final = ("good", "discount", "fee")
