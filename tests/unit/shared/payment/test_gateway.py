"""The proof that a gateway's record is."""

import itertools

import pytest
from in_memory.stored_payments import stored

from shared.payment.gateway import MONEY_MOVES, GatewayRecord, interpret
from shared.payment.payment import Result
from shared.payment.states import Event, State

STATUSES = (*sorted(MONEY_MOVES), "authorised", "refused", "cancelled", "reversed", "expired", "error")


@pytest.mark.parametrize(
    ("carries", "status", "amount", "currency"),
    list(itertools.product([True, False], STATUSES, [250, 249, 251, 0], ["EUR", "USD"])),
)
def test_only_a_whole_match_proves(carries: bool, status: str, amount: int, currency: str) -> None:
    """Our reference in the record itself, money that moves, amount and currency; and then only success."""
    record = GatewayRecord(
        source="preludd",
        record_id="1",
        carries_reference=carries,
        status=status,
        amount_cents=amount,
        currency=currency,
        authorisation_number="184117",
        masked_card="497010******0003",
    )

    evidence, result = interpret(record, stored(state=State.IN_DOUBT))

    if carries and status in MONEY_MOVES and (amount, currency) == (250, "EUR"):
        assert evidence.proves is Event.PROVED_DONE
        assert result == Result(paid_cents=250, authorisation_number="184117", masked_card="497010******0003")
    else:
        assert evidence.proves is None
        assert evidence.detail["hint_because"] in ("joined", "status", "currency", "amount")
        assert result == Result()
    assert evidence.detail["status"] == status
