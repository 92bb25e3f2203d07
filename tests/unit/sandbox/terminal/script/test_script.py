"""Scripts of the control API."""

from typing import Any

import pytest

from sandbox.terminal.script.behaviour import Behaviour, Customer, Fault
from sandbox.terminal.script.script import LONGEST_SCRIPT, BadScript, BehaviourSelection, read_script
from sandbox.terminal.server.request import Request


def debit(cents: int) -> Request:
    return Request({"CZ": "0320", "CB": f"{cents:02d}", "CD": "0", "CE": "978"})


def enquiry() -> Request:
    return Request({"CZ": "0320", "CD": "3"})


def test_a_step_is_a_row_own_changes_or_both() -> None:
    """All else stays as it is usual."""
    usual = Behaviour(contactless=True, delay_seconds=1)

    by_name, by_digits, own, both = read_script(
        ["lost_answer", "51", {"leaves_out": ["CF"]}, {"outcome": "slow", "delay_seconds": 2}]
    )

    assert by_name.applied_to(usual).fault is Fault.LOSE_ANSWER
    assert by_digits.applied_to(usual).issuer_code == "51"
    assert own.applied_to(usual).leaves_out == frozenset({"CF"})
    assert both.applied_to(usual).delay_seconds == 2
    assert all(step.applied_to(usual).contactless for step in (by_name, by_digits, own, both))


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        (["nonsense"], "step 1: no outcome 'nonsense'"),
        (["51", {"colour": "red"}], "step 2: no field colour"),
        ([{"delay_seconds": "soon"}], "step 1: delay_seconds"),
        ([{"customer": "dance"}], "step 1: customer"),
        ([{"card": "platinum"}], "step 1: no card 'platinum'"),
        (["51"] * (LONGEST_SCRIPT + 1), "at most 1000"),
    ],
)
def test_an_invalid_step_is_named(steps: list[Any], says: str) -> None:
    """With its problem."""
    with pytest.raises(BadScript, match=says):
        read_script(steps)


def test_the_first_source_with_a_behaviour_decides() -> None:
    """The script, `choose`, the amount, the table, then the usual behaviour."""
    special = Behaviour(customer=Customer.ABANDON)
    selection = BehaviourSelection(Behaviour(amount_decides=True), {1200: special}, None)
    selection.script.extend(read_script(["lost_answer"]))

    scripted = selection.behaviour_for(debit(1251))
    by_table = selection.behaviour_for(debit(1251))
    by_amount = selection.behaviour_for(debit(1200))
    usual = selection.behaviour_for(debit(1250))
    selection.choose = lambda _: special
    chosen = selection.behaviour_for(debit(1251))

    assert scripted.fault is Fault.LOSE_ANSWER
    assert by_table.issuer_code == "51"
    assert by_amount is chosen is special
    assert usual == selection.behaviour


def test_an_enquiry_uses_no_step_and_follows_the_previous_transaction() -> None:
    """Until the next transaction."""
    selection = BehaviourSelection(Behaviour(), None, None)
    selection.script.extend(read_script(["refused_enquiry", "usual"]))
    selection.behaviour_for(debit(1200))

    after_refused = selection.behaviour_for(enquiry())
    selection.behaviour_for(debit(1200))

    assert after_refused == Behaviour(enquiry="refuses")
    assert selection.behaviour_for(enquiry()) == Behaviour()
    assert not selection.script


def test_without_the_option_an_amount_chooses_no_row() -> None:
    """Arbitrary amounts of tests and clients are paid."""
    assert BehaviourSelection(None, None, None).behaviour_for(debit(1251)) == Behaviour()
