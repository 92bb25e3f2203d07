"""An answer has no terminator: silence, the close, and the terminal's known echoes decide."""

import pytest
from wire.concert import DONE, SHORTEST, frame_of, request

from shared.concert.decode import Frame
from shared.concert.echoes import known_echoes, learn_echoes
from shared.concert.encode import operation_fields
from shared.concert.profile import Profile
from shared.concert.stream import Complete, Completeness, Unreadable, Wait, check_completeness

SENT = dict(operation_fields(request(), Profile()))
WHOLE = frame_of(DONE)
ECHOES = frozenset({"CA", "CB", "CD", "CE"})
CUT_TICKET = b"ZT012CK003100AK"


def verdict(
    frame: Frame,
    *,
    known: frozenset[str] | None = ECHOES,
    closed: bool = False,
    idle: float = 0.0,
    partial: bool = False,
) -> Completeness:
    return check_completeness(
        frame, sent=SENT, known_echoes=known, peer_closed=closed, idle_seconds=idle, accepts_partial=partial
    )


def test_the_close_completes_an_answer_at_once() -> None:
    """With any known echoes."""
    assert verdict(WHOLE, closed=True) == Complete()
    assert verdict(WHOLE, closed=True, known=None) == Complete()
    assert verdict(frame_of(SHORTEST), closed=True) == Complete()


def test_a_quarter_second_completes_an_answer_with_every_known_echo() -> None:
    """A terminal that keeps its connection open does not delay the POS."""
    assert verdict(WHOLE, idle=0.1) == Wait(0.15)
    assert verdict(WHOLE, idle=0.25) == Complete()
    assert verdict(frame_of(SHORTEST), known=frozenset(), idle=0.25) == Complete()


def test_a_missing_known_echo_waits_for_the_close_or_three_seconds() -> None:
    """Mobile links cut segments apart, and the field that is missing may be the one that contradicts."""
    without_amount = frame_of(DONE.replace(b"CB0042500", b""))

    assert verdict(without_amount, idle=1.0) == Wait(2.0)
    assert verdict(without_amount, idle=3.0) == Complete()
    assert verdict(without_amount, closed=True) == Complete()


def test_a_terminal_that_is_not_known_yet_is_awaited_until_the_close_or_for_three_seconds() -> None:
    """Fewer than three answers teach nothing."""
    assert verdict(WHOLE, known=None, idle=0.5) == Wait(2.5)
    assert verdict(WHOLE, known=None, idle=3.0) == Complete()


@pytest.mark.parametrize("missing", [b"CZ0040300", b"AE00210"])
def test_an_answer_without_version_or_status_is_none(missing: bytes) -> None:
    """It waits however long it is silent, and is unreadable once the peer has closed."""
    frame = frame_of(DONE.replace(missing, b""))

    assert verdict(frame, idle=60) == Wait(None)
    assert isinstance(verdict(frame, closed=True), Unreadable)


def test_an_answer_that_ends_inside_a_field_is_none() -> None:
    """Three seconds of silence do not complete it: the rest may come, until the answer's time-out."""
    frame = frame_of(DONE + b"CF0301")

    assert verdict(frame, idle=1.0) == Wait(2.0)
    assert verdict(frame, idle=3.0) == Wait(None)
    assert isinstance(verdict(frame, closed=True), Unreadable)


def test_a_close_without_a_byte_is_told_apart() -> None:
    """The session calls it a lost connection."""
    assert verdict(frame_of(b""), closed=True) == Unreadable("closed without an answer")
    assert verdict(frame_of(b"")) == Wait(None)


def test_garbage_is_unreadable_at_once() -> None:
    """No later byte can fix it."""
    assert isinstance(verdict(frame_of(b"HTTP/1.1")), Unreadable)


@pytest.mark.parametrize("cut", [CUT_TICKET, b"AK020TE1OVE9Q", b"ZT450"])
def test_a_receipt_cut_at_the_end_costs_the_receipt_only(cut: bytes) -> None:
    """Published frames of real terminals announce receipts longer than they are."""
    frame = frame_of(DONE + cut)

    assert verdict(frame, closed=True) == Complete()
    assert verdict(frame, idle=3.0) == Complete()
    assert verdict(frame, known=None, closed=True) == Complete()
    assert verdict(frame, idle=0.25) == Wait(2.75)


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        (b"CB0042500", b""),
        (b"CA00201", b""),
        (b"CB0042500", b"CB0042400"),
        (b"CB0042500", b"CB0042500CB0042501"),
        (b"CD0010", b"CD0011"),
        (b"CE003978", b"CE003840"),
    ],
)
def test_a_cut_receipt_excuses_nothing_else(there: bytes, instead: bytes) -> None:
    """Amount and known echoes must be there and agree: a cut answer may have lost others."""
    frame = frame_of(DONE.replace(there, instead) + CUT_TICKET)

    assert isinstance(verdict(frame, closed=True), Unreadable)
    assert verdict(frame, idle=3.0) == Wait(None)


@pytest.mark.parametrize("cut", [b"Z", b"ZT", b"ZT4", b"CG0101"])
def test_only_the_end_of_a_receipt_may_be_missing(cut: bytes) -> None:
    """A cut field without a length, or another field, may be anything."""
    assert isinstance(verdict(frame_of(DONE + cut), closed=True), Unreadable)


def test_a_partial_amount_agrees_on_a_terminal_that_knows_partial_payment() -> None:
    """A cut receipt costs a meal voucher's payment no more than any other."""
    frame = frame_of(DONE.replace(b"CB0042500", b"CB0041900") + CUT_TICKET)

    assert verdict(frame, closed=True, partial=True) == Complete()


def test_an_echo_is_known_once_it_was_in_three_answers_in_a_row() -> None:
    """The last three answers count, and only fields that were sent."""
    remembered: list[list[str]] = []
    for answered in (["CZ", "AE"], ["CZ", "CB", "AE"], ["CZ", "CB", "AE", "CC"]):
        assert known_echoes(remembered, SENT) is None
        remembered = learn_echoes(remembered, answered)

    assert known_echoes(remembered, SENT) == frozenset({"CZ"})
    remembered = learn_echoes(remembered, ["CB", "CZ", "CF", "AE"])
    assert known_echoes(remembered, SENT) == frozenset({"CZ", "CB"})
    assert len(remembered) == 3


def test_the_reference_never_counts_as_an_echo() -> None:
    """Some terminals echo CF on refusals and put their own data there on successes."""
    remembered: list[list[str]] = []
    for _ in range(3):
        remembered = learn_echoes(remembered, ["CZ", "CF"])

    assert known_echoes(remembered, SENT) == frozenset({"CZ"})
    assert known_echoes([["CF"]] * 3, SENT) == frozenset()
