"""Proofs that conflict with a final state."""

import pytest

from shared.payment.evidence import PROOF_OF_ANSWER, conflicts_with
from shared.payment.states import TRANSITIONS, Event, State

MOVED = [Event.PROVED_DONE]
NOT_MOVED = [Event.PROVED_REFUSED, Event.PROVED_ABORTED]
FAILED = [State.REFUSED, State.ABORTED, State.UNREACHABLE, State.EXPIRED, State.CANCELLED]
OPEN = [State.QUEUED, State.IN_SESSION, State.IN_DOUBT]


@pytest.mark.parametrize("state", FAILED)
@pytest.mark.parametrize("proof", MOVED)
def test_moved_money_conflicts_with_every_failure(state: State, proof: Event) -> None:
    """A proof that money moved is an alarm for each state that says it did not."""
    assert conflicts_with(state, proof)


@pytest.mark.parametrize("proof", NOT_MOVED)
def test_a_proof_that_no_money_moved_conflicts_with_success_alone(proof: Event) -> None:
    """A refusal proved late is an alarm for a success; other failures only differ in their wording."""
    assert conflicts_with(State.SUCCEEDED, proof)
    assert not any(conflicts_with(state, proof) for state in FAILED)


def test_moved_money_agrees_with_success() -> None:
    """The gateway's record of a success that we know changes nothing."""
    assert not conflicts_with(State.SUCCEEDED, Event.PROVED_DONE)


@pytest.mark.parametrize("state", OPEN)
@pytest.mark.parametrize("proof", MOVED + NOT_MOVED)
def test_nothing_conflicts_with_an_open_payment(state: State, proof: Event) -> None:
    """A payment without an outcome has nothing to conflict with."""
    assert not conflicts_with(state, proof)


def test_a_late_answer_proves_what_the_same_answer_says_in_its_session() -> None:
    """The session's answer and the late one lead to the same state, but a late busy proves nothing."""
    for answer, proof in PROOF_OF_ANSWER.items():
        assert TRANSITIONS[State.IN_SESSION][answer] == TRANSITIONS[State.IN_DOUBT][proof]
    assert Event.ANSWERED_BUSY not in PROOF_OF_ANSWER
    assert Event.NOT_SENT not in PROOF_OF_ANSWER
