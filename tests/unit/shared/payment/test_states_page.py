"""The page about states is made from the table."""

from shared.payment.diagram import PAGE, diagram, page
from shared.payment.states import TRANSITIONS, State


def test_the_states_page_is_current() -> None:
    """The committed page is what the table of transitions says; `make docs` renews it."""
    assert PAGE.read_text() == page()


def test_the_diagram_shows_every_transition() -> None:
    """Each event of each state is one arrow."""
    arrows = [line for line in diagram().splitlines() if ": " in line]

    assert len(arrows) == sum(len(moves) for moves in TRANSITIONS.values())
    assert f"    {State.QUEUED.value} --> {State.IN_SESSION.value}: claimed" in arrows
