"""The order guard, and the reversals and credits that may follow a debit."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.payment.order_guard import (
    NotAllowed,
    RelatedOperation,
    blocks_new_attempts,
    check_may_follow,
    operation_key,
)
from shared.payment.payment import Operation
from shared.payment.states import LIVE_STATES, State

LINE = "127.0.0.9:8888"
DEBIT = RelatedOperation("pay_debit", Operation.DEBIT, State.SUCCEEDED, False, LINE, 1000)
CREDIT = RelatedOperation("pay_credit", Operation.CREDIT, State.SUCCEEDED, False, LINE, 400)
REVERSAL = RelatedOperation("pay_reversal", Operation.REVERSAL, State.SUCCEEDED, False, LINE, 1000)

FAILED = [State.REFUSED, State.ABORTED, State.UNREACHABLE, State.EXPIRED, State.CANCELLED]
LIVE = sorted(LIVE_STATES)
FOLLOWING = [Operation.REVERSAL, Operation.CREDIT]


def _refusal(
    operation: Operation,
    amount_cents: int,
    debit: RelatedOperation,
    *related_operations: RelatedOperation,
    terminal_address: str | None = LINE,
) -> tuple[str, str] | None:
    try:
        check_may_follow(operation, amount_cents, terminal_address, debit, related_operations)
    except NotAllowed as refusal:
        return refusal.reason, refusal.related_id
    return None


def test_keys_name_the_operation() -> None:
    """The three forms of the key, with what is not known left empty."""
    assert _key(Operation.DEBIT) == "debit:order-1"
    assert _key(Operation.REVERSAL) == "reversal::order-1"
    assert _key(Operation.REVERSAL, debit_id="pay_1") == "reversal:pay_1:order-1"
    assert _key(Operation.CREDIT) == "credit::500:7:order-1:"
    assert _key(Operation.CREDIT, debit_id="pay_1", idempotency_key="k") == "credit:pay_1:500:7:order-1:k"


def _key(
    operation: Operation,
    debit_id: str | None = None,
    idempotency_key: str | None = None,
    order_id: str = "order-1",
    amount_cents: int = 500,
) -> str:
    return operation_key(
        operation, order_id, debit_id=debit_id, amount_cents=amount_cents, idempotency_key=idempotency_key
    )


_TEXTS = st.text(alphabet=":a1~", min_size=1, max_size=8)
_OPERATIONS = st.tuples(
    st.sampled_from(Operation), st.none() | st.just("pay_1"), st.none() | _TEXTS, _TEXTS, st.integers(1, 20)
)


@given(_OPERATIONS, _OPERATIONS)
@example(
    (Operation.CREDIT, None, ":5:", "a", 5),
    (Operation.CREDIT, None, None, "a::5", 5),
)
@example((Operation.REVERSAL, None, None, "a:pay_1", 5), (Operation.REVERSAL, "pay_1", None, "a", 5))
def test_two_operations_never_have_one_key(one: Any, other: Any) -> None:
    """Even with colons in order numbers and idempotency keys."""

    def meant(operation: Operation, debit_id: str | None, key: str | None, order: str, amount: int) -> Any:
        match operation:
            case Operation.DEBIT:
                return operation, order
            case Operation.REVERSAL:
                return operation, debit_id, order
            case Operation.CREDIT:
                return operation, debit_id, key, order, amount

    assert (_key(*one) == _key(*other)) is (meant(*one) == meant(*other))


def test_an_idempotency_key_tells_only_credits_apart() -> None:
    """Two debits or reversals of an order are the same operation whatever key they carry."""
    for operation in (Operation.DEBIT, Operation.REVERSAL):
        assert _key(operation, idempotency_key="a") == _key(operation, idempotency_key="b")
    assert _key(Operation.CREDIT, idempotency_key="a") != _key(Operation.CREDIT, idempotency_key="b")


@pytest.mark.parametrize("state", list(State))
def test_an_attempt_counts_until_it_fails(state: State) -> None:
    """Queued, in session, in doubt and succeeded attempts keep others of their key out."""
    assert blocks_new_attempts(state) is (state not in FAILED)


@pytest.mark.parametrize(("operation", "state"), [*product(FOLLOWING, LIVE)])
def test_a_live_debit_refuses_both(operation: Operation, state: State) -> None:
    """While the debit has no result neither a reversal nor a credit may follow."""
    assert _refusal(operation, 1000, replace(DEBIT, state=state)) == ("live", DEBIT.id)


@pytest.mark.parametrize(("operation", "state"), [*product(FOLLOWING, FAILED)])
def test_a_failed_debit_refuses_both(operation: Operation, state: State) -> None:
    """Nothing was charged, so nothing goes back."""
    assert _refusal(operation, 1000, replace(DEBIT, state=state)) == ("no_debit", DEBIT.id)


@pytest.mark.parametrize(("operation", "state"), [*product(FOLLOWING, FAILED)])
def test_a_contradicted_failed_debit_counts_as_succeeded(operation: Operation, state: State) -> None:
    """Its money moved: it may be given back."""
    assert _refusal(operation, 1000, replace(DEBIT, state=state, contradicted=True)) is None


@pytest.mark.parametrize("amount_cents", [999, 1001])
def test_a_reversal_has_the_amount_that_was_really_paid(amount_cents: int) -> None:
    """Any other amount is refused, a lower one too."""
    assert _refusal(Operation.REVERSAL, 1000, DEBIT) is None
    assert _refusal(Operation.REVERSAL, amount_cents, DEBIT) == ("amount", DEBIT.id)


def test_a_reversal_goes_to_the_terminal_of_its_debit() -> None:
    """A credit may be given at another terminal, a reversal may not."""
    assert _refusal(Operation.REVERSAL, 1000, DEBIT, terminal_address="127.0.0.10:8888") == (
        "terminal",
        DEBIT.id,
    )
    assert _refusal(Operation.CREDIT, 1000, DEBIT, terminal_address="127.0.0.10:8888") is None


def test_a_reversal_to_a_name_without_address_is_not_called_a_foreign_terminal() -> None:
    """Nothing will be sent: it ends unreachable, which a caller may try again."""
    assert _refusal(Operation.REVERSAL, 1000, DEBIT, terminal_address=None) is None


@pytest.mark.parametrize("state", [*LIVE, State.SUCCEEDED])
def test_a_credited_debit_is_not_reversed(state: State) -> None:
    """A credit that runs or succeeded keeps the reversal out."""
    credit = replace(CREDIT, state=state)

    assert _refusal(Operation.REVERSAL, 1000, DEBIT, credit) == ("credited", credit.id)


@pytest.mark.parametrize("state", [*LIVE, State.SUCCEEDED])
def test_a_reversed_debit_is_not_credited(state: State) -> None:
    """A reversal that runs or succeeded keeps every credit out."""
    reversal = replace(REVERSAL, state=state)

    assert _refusal(Operation.CREDIT, 1, DEBIT, reversal) == ("reversed", reversal.id)


@pytest.mark.parametrize(("state", "related"), [*product(FAILED, [CREDIT, REVERSAL])])
def test_a_failed_related_operation_blocks_nothing(state: State, related: RelatedOperation) -> None:
    """A failed reversal or credit does not count."""
    failed = replace(related, state=state)

    assert _refusal(Operation.REVERSAL, 1000, DEBIT, failed) is None
    assert _refusal(Operation.CREDIT, 1000, DEBIT, failed) is None


@pytest.mark.parametrize("state", FAILED)
def test_a_contradicted_failed_related_operation_counts_as_succeeded(state: State) -> None:
    """A failure that a proof contradicts gave money back."""
    credit = replace(CREDIT, state=state, contradicted=True)
    reversal = replace(REVERSAL, state=state, contradicted=True)

    assert _refusal(Operation.REVERSAL, 1000, DEBIT, credit) == ("credited", credit.id)
    assert _refusal(Operation.CREDIT, 601, DEBIT, credit) == ("amount", DEBIT.id)
    assert _refusal(Operation.CREDIT, 1, DEBIT, reversal) == ("reversed", reversal.id)


@pytest.mark.parametrize("state", [*LIVE, State.SUCCEEDED])
def test_credits_never_exceed_what_was_really_paid(state: State) -> None:
    """The sum counts live and succeeded credits, to the cent."""
    given = [replace(CREDIT, id=f"pay_credit_{number}", state=state) for number in (1, 2)]

    assert _refusal(Operation.CREDIT, 200, DEBIT, *given) is None
    assert _refusal(Operation.CREDIT, 201, DEBIT, *given) == ("amount", DEBIT.id)
