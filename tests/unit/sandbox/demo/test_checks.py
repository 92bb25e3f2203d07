from dataclasses import replace

import pytest
from demo_records import PAYMENT, call, history, row, session

from sandbox.demo.checks import (
    answered,
    answered_as_stored,
    expect,
    one_session_at_a_time,
    session_as_stored,
    sessions_match,
    went_through,
)
from sandbox.demo.errors import Unexpected

OTHER = PAYMENT[:-1] + "F"


def test_records_that_agree_raise_no_objection() -> None:
    """The till's answer, the row, its history and the terminal's ledger."""
    problems = [
        *answered_as_stored(call(), row()),
        *session_as_stored(session(), row(), history()),
        *went_through(history(), "answered_done"),
        *one_session_at_a_time("terminal B", [session(), session(OTHER, begins=500.0, ends=900.0)]),
        *sessions_match([session()], [row()]),
    ]

    assert problems == []


@pytest.mark.parametrize(
    "changed",
    [
        {"state": "in_doubt"},
        {"paid_cents": 639},
        {"masked_card": "497010******0000"},
        {"authorisation_number": "184117"},
        {"receipt": "CREDIT"},
        {"id": OTHER},
    ],
)
def test_an_answer_that_differs_from_the_row_in_one_thing_is_found(changed: dict[str, object]) -> None:
    """Every answer given to a caller equals what is stored."""
    assert len(answered_as_stored(call(), row() | changed)) == 1


def test_a_charge_without_a_stored_success_is_found() -> None:
    """And the reverse: a stored success that the terminal does not know."""
    assert session_as_stored(session(), row() | {"state": "refused"}, history())
    uncharged = session()
    uncharged.charged = False
    assert session_as_stored(uncharged, row(), history())


def test_a_frame_that_differs_from_the_history_is_found() -> None:
    """The history holds the fields that were on the wire."""
    accepted, claimed, ended = history()
    other = replace(ended, detail=ended.detail | {"answer": {"AE": "10"}})

    [problem] = session_as_stored(session(), row(), [accepted, claimed, other])

    assert "answer frame" in problem


def test_two_sessions_at_once_and_a_second_charge_are_found() -> None:
    """From the terminal's own times."""
    [at_once] = one_session_at_a_time("terminal B", [session(), session(OTHER, begins=300.0, ends=900.0)])
    [twice] = one_session_at_a_time("terminal B", [session(), session(begins=500.0, ends=900.0)])

    assert "two sessions at once" in at_once
    assert "charged" in twice
    assert "twice" in twice


def test_a_session_too_many_and_a_session_too_few_are_found() -> None:
    """Each payment was sent to its terminal once."""
    assert sessions_match([session(), session()], [row()])
    assert sessions_match([], [row()])


def test_another_history_is_found() -> None:
    """Accepted, claimed, and the end that was expected."""
    assert went_through(history(), "answered_refused")
    assert went_through(history()[:2], "answered_done")


def test_all_that_is_wrong_is_said_at_once() -> None:
    """One line a problem."""
    expect([])
    with pytest.raises(Unexpected, match="first\nsecond"):
        expect(["first", "second"])


def test_evidence_and_identifications_may_stand_anywhere_in_a_history() -> None:
    """They come beside the payment's way, at any time."""
    accepted, claimed, ended = history()
    beside = [replace(ended, event=event, detail={}) for event in ("identified", "evidence")]

    whole = [accepted, claimed, beside[1], ended, *beside]

    assert went_through(whole, "answered_done") == []
    assert session_as_stored(session(), row(), whole) == []


def test_an_answer_of_another_state_or_a_replay_is_found() -> None:
    """The contract's status, our state, and whether it was the stored answer."""
    assert answered(call(), history(), "succeeded") == []
    assert answered(call(), history(), "succeeded", replayed=True)
    assert answered(call(), history(), "refused")
