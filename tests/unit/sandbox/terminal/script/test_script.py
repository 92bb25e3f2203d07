"""Scripts as they are written to the control API."""

from typing import Any

import pytest

from sandbox.terminal.script.behaviour import Behaviour, Customer, Fault
from sandbox.terminal.script.behaviour_selection import Choice
from sandbox.terminal.script.script import LONGEST_SCRIPT, BadScript, read_script
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
def test_a_step_that_cannot_be_read_is_named(steps: list[Any], says: str) -> None:
    """Which one, and why."""
    with pytest.raises(BadScript, match=says):
        read_script(steps)


def test_the_first_that_has_a_word_decides() -> None:
    """The script, `choose`, the amount, the table, and then what is usual."""
    special = Behaviour(customer=Customer.ABANDON)
    choice = Choice(Behaviour(amount_decides=True), {1200: special}, None)
    choice.script.extend(read_script(["lost_answer"]))

    scripted = choice.behaviour_for(debit(1251))
    by_table = choice.behaviour_for(debit(1251))
    by_amount = choice.behaviour_for(debit(1200))
    usual = choice.behaviour_for(debit(1250))
    choice.choose = lambda _: special
    chosen = choice.behaviour_for(debit(1251))

    assert scripted.fault is Fault.LOSE_ANSWER
    assert by_table.issuer_code == "51"
    assert by_amount is chosen is special
    assert usual == choice.behaviour


def test_an_enquiry_uses_no_step_and_answers_as_the_transaction_before_wants() -> None:
    """Until the next transaction."""
    choice = Choice(Behaviour(), None, None)
    choice.script.extend(read_script(["refused_enquiry", "usual"]))
    choice.behaviour_for(debit(1200))

    after_refused = choice.behaviour_for(enquiry())
    choice.behaviour_for(debit(1200))

    assert after_refused == Behaviour(enquiry="refuses")
    assert choice.behaviour_for(enquiry()) == Behaviour()
    assert not choice.script


def test_without_the_option_an_amount_means_nothing() -> None:
    """Arbitrary amounts of tests and clients are paid."""
    assert Choice(None, None, None).behaviour_for(debit(1251)) == Behaviour()
