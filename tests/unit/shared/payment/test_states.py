"""Every pair of a state and an event, against the table of the design written once more by hand."""

import pytest

from shared.payment.states import (
    BLOCKING_STATES,
    FINAL_STATES,
    LIVE_STATES,
    Event,
    IllegalTransition,
    State,
    apply,
)

LEGAL = {
    ("queued", "claimed"): "in_session",
    ("queued", "deadline_passed"): "expired",
    ("queued", "cancelled"): "cancelled",
    ("in_session", "answered_done"): "succeeded",
    ("in_session", "answered_refused"): "refused",
    ("in_session", "answered_aborted"): "aborted",
    ("in_session", "answered_busy"): "unreachable",
    ("in_session", "outcome_lost"): "in_doubt",
    ("in_session", "not_sent"): "unreachable",
    ("in_doubt", "proved_done"): "succeeded",
    ("in_doubt", "proved_refused"): "refused",
    ("in_doubt", "proved_aborted"): "aborted",
    ("in_doubt", "not_sent"): "unreachable",
}
PAIRS = [(state, event) for state in State for event in Event]


@pytest.mark.parametrize(("state", "event"), PAIRS, ids=lambda value: value.value)
def test_every_pair_is_a_transition_of_the_table_or_illegal(state: State, event: Event) -> None:
    """An event moves a payment on where the design says so and nowhere else."""
    expected = LEGAL.get((state.value, event.value))

    if expected is not None:
        assert apply(state, event) is State(expected)
        return
    with pytest.raises(IllegalTransition) as raised:
        apply(state, event)
    assert (raised.value.state, raised.value.event) == (state, event)


def test_nothing_leads_back_to_the_queue() -> None:
    """A payment that a worker once claimed never waits again, so its bytes are written at most once."""
    assert all(to != "queued" for to in LEGAL.values())
    assert {from_state for (from_state, _), to in LEGAL.items() if to == "in_session"} == {"queued"}


def test_the_outcome_of_a_doubt_comes_from_a_proof_or_the_run_itself() -> None:
    """No answer of a session, claim, deadline or client moves a payment out of doubt."""
    assert {event for state, event in LEGAL if state == "in_doubt"} == {
        "proved_done",
        "proved_refused",
        "proved_aborted",
        "not_sent",
    }


def test_the_sets_of_states_split_them_by_what_is_still_open() -> None:
    """Live attempts and successes keep others out; what is not live is final."""
    assert {state.value for state in LIVE_STATES} == {"queued", "in_session", "in_doubt"}
    assert LIVE_STATES | {State.SUCCEEDED} == BLOCKING_STATES
    assert set(State) - LIVE_STATES == FINAL_STATES
