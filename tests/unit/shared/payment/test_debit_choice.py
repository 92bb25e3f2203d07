"""The debit that a reversal or credit means, where an order was charged once, more than once, or not."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.payment.debit_choice import FollowUpRequest, KnownDebit, choose_debit
from shared.payment.order_guard import NotAllowed, RelatedOperation
from shared.payment.payment import Operation
from shared.payment.states import BLOCKING_STATES, State

LINE, OTHER_LINE = "127.0.0.9:8888", "127.0.0.10:8888"
FAILED = [State.REFUSED, State.ABORTED, State.UNREACHABLE, State.EXPIRED, State.CANCELLED]
REVERSAL, CREDIT = Operation.REVERSAL, Operation.CREDIT

SUCCEEDED = RelatedOperation(
    "pay_succeeded", Operation.DEBIT, State.SUCCEEDED, False, LINE, 1000, "debit:order"
)
REVERSED = replace(SUCCEEDED, id="pay_reversed", guard_key=None)
CONTRADICTED = RelatedOperation("pay_contradicted", Operation.DEBIT, State.REFUSED, True, LINE, 1000)
PLAIN_FAILURE = RelatedOperation("pay_failed", Operation.DEBIT, State.REFUSED, False, LINE, 1000)


def _follower(
    operation: Operation = REVERSAL,
    state: State = State.SUCCEEDED,
    *,
    key: str | None = None,
    cents: int = 1000,
) -> RelatedOperation:
    return RelatedOperation("pay_back", operation, state, False, LINE, cents, idempotency_key=key)


def _asked(
    operation: Operation = REVERSAL,
    cents: int = 1000,
    *,
    terminal_address: str | None = LINE,
    key: str | None = None,
    key_is_used: bool = False,
) -> FollowUpRequest:
    return FollowUpRequest(operation, cents, terminal_address, key, key_is_used)


def _meant(asked: FollowUpRequest, *debits: KnownDebit) -> str:
    return choose_debit(asked, debits).debit.id


def _refusal(asked: FollowUpRequest, *debits: KnownDebit) -> str:
    with pytest.raises(NotAllowed) as refused:
        choose_debit(asked, debits)
    return refused.value.reason


@pytest.mark.parametrize("operation", [REVERSAL, CREDIT])
def test_a_contradicted_failure_wins_over_a_newer_plain_one(operation: Operation) -> None:
    """Money moved in the one, none in the other."""
    newest, older = KnownDebit(PLAIN_FAILURE), KnownDebit(CONTRADICTED)

    assert _meant(_asked(operation), newest, older) == CONTRADICTED.id


def test_the_newest_attempt_is_meant_where_nothing_was_charged() -> None:
    """There is nothing to give back, which the rules say of it."""
    assert _meant(_asked(), KnownDebit(PLAIN_FAILURE)) == PLAIN_FAILURE.id


@pytest.mark.parametrize("state", [State.QUEUED, State.IN_SESSION, State.IN_DOUBT])
def test_a_live_debit_is_meant_before_all_others(state: State) -> None:
    """Until it has a result nothing is given back, not even for another attempt."""
    live = KnownDebit(replace(SUCCEEDED, state=state))

    assert _meant(_asked(), live, KnownDebit(CONTRADICTED)) == SUCCEEDED.id


def test_a_superseded_debit_is_not_meant() -> None:
    """Reversed, or too old for an order number that comes again: the request is about the later one."""
    reversed_before = KnownDebit(REVERSED, (_follower(),))

    assert _meant(_asked(), KnownDebit(SUCCEEDED), reversed_before) == SUCCEEDED.id
    assert _meant(_asked(), KnownDebit(PLAIN_FAILURE), reversed_before) == PLAIN_FAILURE.id


def test_a_reversed_debit_is_still_meant_while_it_is_the_newest() -> None:
    """The reversal's answer was lost: the same request finds it again."""
    assert _meant(_asked(), KnownDebit(REVERSED, (_follower(),))) == REVERSED.id


def test_of_two_charges_the_newest_goes_back_first_then_the_other() -> None:
    """Each request with a new key of its own means one that nobody asked back."""
    twice = KnownDebit(SUCCEEDED), KnownDebit(CONTRADICTED)
    assert _meant(_asked(), *twice) == SUCCEEDED.id

    once = KnownDebit(REVERSED, (_follower(key="a"),)), KnownDebit(CONTRADICTED)
    assert _meant(_asked(key="b"), *once) == CONTRADICTED.id

    all_back = once[0], KnownDebit(CONTRADICTED, (_follower(key="b"),))
    assert _refusal(_asked(key="c"), *all_back) == "reversed"


@pytest.mark.parametrize("state", sorted(BLOCKING_STATES))
def test_a_repeated_request_means_the_charge_of_its_key(state: State) -> None:
    """Running or done, it is found again by its Idempotency-Key and by nothing else."""
    debits = KnownDebit(REVERSED, (_follower(state=state, key="a"),)), KnownDebit(CONTRADICTED)

    assert _meant(_asked(key="a", key_is_used=True), *debits) == REVERSED.id
    assert _refusal(_asked(), *debits) == "ambiguous"


def test_a_key_that_joined_anothers_reversal_is_ambiguous_too() -> None:
    """It was answered from that one; the other charge needs a key that nobody used."""
    debits = KnownDebit(REVERSED, (_follower(key="a"),)), KnownDebit(CONTRADICTED)

    assert _refusal(_asked(key="b", key_is_used=True), *debits) == "ambiguous"


def test_a_failed_reversal_makes_nothing_ambiguous() -> None:
    """It gave nothing back: the request is tried again, with a key or without."""
    debits = KnownDebit(SUCCEEDED, (_follower(state=State.REFUSED, key="a"),)), KnownDebit(CONTRADICTED)

    for asked in (_asked(), _asked(key="a", key_is_used=True), _asked(key="b")):
        assert _meant(asked, *debits) == SUCCEEDED.id


def test_amount_and_terminal_pick_where_they_can() -> None:
    """Two charges that differ in one of them are never mistaken for each other."""
    partly = KnownDebit(replace(SUCCEEDED, amount_cents=800))
    elsewhere = KnownDebit(replace(CONTRADICTED, terminal_address=OTHER_LINE), (_follower(),))

    assert _meant(_asked(cents=800), partly, KnownDebit(CONTRADICTED)) == SUCCEEDED.id
    assert _meant(_asked(cents=1000), partly, KnownDebit(CONTRADICTED)) == CONTRADICTED.id
    assert _meant(_asked(terminal_address=OTHER_LINE), KnownDebit(SUCCEEDED), elsewhere) == CONTRADICTED.id
    assert _meant(_asked(), KnownDebit(SUCCEEDED), elsewhere) == SUCCEEDED.id


def test_a_name_without_an_address_could_mean_either_terminal() -> None:
    """So it is ambiguous as soon as one of them was asked back."""
    elsewhere = KnownDebit(replace(CONTRADICTED, terminal_address=OTHER_LINE), (_follower(),))

    assert _refusal(_asked(terminal_address=None), KnownDebit(SUCCEEDED), elsewhere) == "ambiguous"


def test_a_credit_takes_the_charge_that_has_room_for_it() -> None:
    """An amount too high for one charge fits the other; equal charges are told apart by their keys."""
    credited = KnownDebit(SUCCEEDED, (_follower(CREDIT, cents=700, key="a"),))
    debits = credited, KnownDebit(CONTRADICTED)

    assert _meant(_asked(CREDIT, 300), *debits) == SUCCEEDED.id
    assert _meant(_asked(CREDIT, 400), *debits) == CONTRADICTED.id
    assert _meant(_asked(CREDIT, 700, key="b"), *debits) == CONTRADICTED.id
    assert _meant(_asked(CREDIT, 700, key="a", key_is_used=True), *debits) == SUCCEEDED.id
    assert _refusal(_asked(CREDIT, 700), *debits) == "ambiguous"


def test_a_credited_charge_is_passed_over_by_a_reversal() -> None:
    """The other one can still be reversed."""
    credited = KnownDebit(SUCCEEDED, (_follower(CREDIT, cents=1),))

    assert _meant(_asked(), credited, KnownDebit(CONTRADICTED)) == CONTRADICTED.id


def test_an_earlier_operation_is_found_by_its_key_whatever_came_since() -> None:
    """The debit was reversed under this key and the order debited again: the repeat means the old one."""
    old = KnownDebit(REVERSED, (_follower(key="a"),))

    assert _meant(_asked(key="a", key_is_used=True), KnownDebit(SUCCEEDED), old) == REVERSED.id
    assert _meant(_asked(key="b"), KnownDebit(SUCCEEDED), old) == SUCCEEDED.id


_states = st.sampled_from(State)
_siblings = st.builds(
    RelatedOperation,
    id=st.uuids().map(str),
    operation=st.sampled_from([REVERSAL, CREDIT]),
    state=_states,
    contradicted=st.booleans(),
    terminal_address=st.just(LINE),
    amount_cents=st.sampled_from([400, 1000]),
    idempotency_key=st.sampled_from([None, "a", "b"]),
)
_debits = st.builds(
    KnownDebit,
    debit=st.builds(
        RelatedOperation,
        id=st.uuids().map(str),
        operation=st.just(Operation.DEBIT),
        state=st.sampled_from([State.SUCCEEDED, State.REFUSED]),
        contradicted=st.booleans(),
        terminal_address=st.sampled_from([LINE, OTHER_LINE]),
        amount_cents=st.sampled_from([1000, 800]),
        guard_key=st.none(),
    ),
    followers=st.lists(_siblings, max_size=3).map(tuple),
)


@given(
    debits=st.lists(_debits, min_size=1, max_size=3),
    asked=st.builds(
        FollowUpRequest,
        operation=st.just(REVERSAL),
        amount_cents=st.sampled_from([800, 1000]),
        terminal_address=st.sampled_from([LINE, OTHER_LINE, None]),
        idempotency_key=st.sampled_from([None, "a", "b"]),
        key_is_used=st.booleans(),
    ),
)
def test_whatever_an_order_went_through_no_reversal_gets_anothers_result(
    debits: list[KnownDebit], asked: FollowUpRequest
) -> None:
    """A charge that was asked back already is meant only by that request's own key, or where no other charge
    fits; one that failed for certain is meant only where nothing was charged.
    """
    try:
        chosen = choose_debit(asked, debits)
    except NotAllowed:
        return
    done = [each for each in chosen.followers if each.operation is REVERSAL and each.may_have_moved_money]
    if any(each.idempotency_key == asked.idempotency_key is not None for each in done):
        return
    other_charges = [
        known.debit
        for known in debits
        if known is not chosen and known.debit.state is State.REFUSED and known.debit.contradicted
    ]
    assert chosen.debit.has_moved_money or not other_charges
    fits = [
        debit
        for debit in (chosen.debit, *other_charges)
        if debit.amount_cents == asked.amount_cents
        and asked.terminal_address in (None, debit.terminal_address)
    ]
    assert not (done and chosen.debit in fits and len(fits) > 1)
