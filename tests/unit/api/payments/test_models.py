"""Payments as the API's answers show them."""

import pytest
from in_memory.stored_payments import without_result

from api.payments.models import Payment
from shared.payment.states import State


@pytest.mark.parametrize("state", State)
def test_a_payment_says_when_it_expires_while_it_is_queued(state: State) -> None:
    """Afterwards the deadline means nothing."""
    shown = Payment.of(without_result(state), safe_to_retry=False).model_dump(exclude_unset=True)

    assert shown.get("expires_at") == ("2026-03-05T12:07:11.007Z" if state is State.QUEUED else None)
