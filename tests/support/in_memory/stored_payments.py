"""Stored payments for tests of responses and objects."""

import dataclasses
from typing import Any

from orders import body_with

from api.connector.request import parse_order
from shared.payment.payment import RESULT_FIELDS, Operation, Payment, Result
from shared.payment.states import State

_ORDER = parse_order(body_with())

#: A debit of 2.50 euros that succeeded; times are around 2026-03-05T12:06:41Z.
SUCCEEDED = Payment(
    id="pay_01JNK4T0V8W9A4C6Q2Y3ZB5XDE",
    merchant_id="mer_1",
    order_id=_ORDER.order_id,
    operation=Operation.DEBIT,
    state=State.SUCCEEDED,
    reason=None,
    amount_cents=250,
    currency="EUR",
    protocol="ConcertV3.2",
    force_authorization=False,
    host="127.0.0.2",
    port=8888,
    pos_number="01",
    terminal_address="127.0.0.2:8888",
    request=_ORDER.request_text,
    idempotency_key=None,
    debit_id=None,
    guard_key="debit:ORDER_3",
    reply_to="reply.1",
    contradicted=False,
    deadline_at=1_772_712_431_007,
    created_at=1_772_712_401_007,
    claimed_at=1_772_712_401_019,
    ended_at=1_772_712_418_123,
    held_since=None,
    result=Result(
        authorisation_number="184117",
        masked_card="497010******0003",
        application="00B",
        aid="A0000000421010",
        card_read_mode="2",
        receipt="CARTE BANCAIRE\nMONTANT :\n2,50 EUR\nDÉBIT",
    ),
)


#: A result with every field.
FULL_RESULT = Result(
    paid_cents=900,
    error_code="04",
    error_description="refused",
    authorisation_number="123456",
    masked_card="497010******0014",
    application="001",
    aid="A0000000421010",
    card_read_mode="2",
    receipt="CARTE BANCAIRE\nMERCI",
    warnings=("partial_amount",),
)


def stored(**changes: Any) -> Payment:
    """Return the payment with some columns changed."""
    return _changed(SUCCEEDED.result, changes)


def without_result(state: State, **changes: Any) -> Payment:
    """Return a payment in this state without a result of the terminal."""
    return _changed(Result(), {"state": state, **changes})


def _changed(result: Result, changes: dict[str, Any]) -> Payment:
    of_result = {name: value for name, value in changes.items() if name in RESULT_FIELDS}
    of_payment = {name: value for name, value in changes.items() if name not in RESULT_FIELDS}
    return dataclasses.replace(SUCCEEDED, result=dataclasses.replace(result, **of_result), **of_payment)
