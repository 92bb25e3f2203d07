"""The table of scripted outcomes, and its uses."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from sandbox.terminal.script.behaviour import Behaviour, Customer, Fault
from sandbox.terminal.script.outcomes import (
    OUTCOMES,
    REFUSALS,
    UnknownOutcome,
    answer_code_of,
    outcome_named,
    outcome_of_amount,
)
from sandbox.terminal.script.outcomes_reference import render_outcomes

PAGE = Path(__file__).parents[5] / "docs/sandbox/outcomes.md"


def test_the_documents_table_is_the_codes_table() -> None:
    """`python -m sandbox.terminal.script.outcomes_reference > docs/sandbox/outcomes.md` makes it so."""
    assert PAGE.read_text(encoding="utf-8") == render_outcomes()


def test_the_command_lists_every_row() -> None:
    """As a table, as JSON, and below the terminal's options."""
    run = CliRunner().invoke

    listed = run(app, ["sandbox", "outcomes", "--json"])
    rows = [json.loads(line) for line in listed.stdout.splitlines()]
    helped = run(app, ["virtual-terminal", "--help"])

    assert [(row["ending"], row["name"]) for row in rows] == [(row.ending, row.name) for row in OUTCOMES]
    assert run(app, ["sandbox", "outcomes"]).exit_code == 0
    for row in OUTCOMES:
        assert row.name in helped.stdout
    for fault in Fault:
        assert any(row.changes.get("fault") is fault for row in OUTCOMES), fault


def test_names_and_endings_are_unique() -> None:
    """Two digits, and the refusals' are their answer codes."""
    endings = [row.ending for row in OUTCOMES if row.ending is not None]
    names = [row.name for row in OUTCOMES]

    assert len(set(endings)) == len(endings)
    assert all(len(ending) == 2 and ending.isdigit() for ending in endings)
    assert len(set(names)) == len(names)
    assert set(REFUSALS) <= set(endings)
    for code in REFUSALS:
        assert outcome_named(code).changes["issuer_code"] == code


def test_an_amounts_last_two_digits_choose_a_row() -> None:
    """Other endings choose none."""
    refused = outcome_of_amount(1251)
    small = outcome_of_amount(5)

    assert refused is not None
    assert small is not None
    assert refused.applied_to(Behaviour(delay_seconds=7)) == Behaviour(
        customer=Customer.REFUSE, issuer_code="51", delay_seconds=7
    )
    assert small.name == "refused_05"
    assert outcome_of_amount(4248) is outcome_named("gateway_without_reference")
    assert outcome_of_amount(1250) is None


def test_a_row_is_found_by_name_or_digits() -> None:
    """Anything else is an error that lists them."""
    assert outcome_named("refused_51") is outcome_named("51")
    with pytest.raises(UnknownOutcome, match="lost_answer"):
        outcome_named("nonsense")


def test_an_answer_code_becomes_refused_or_forbidden() -> None:
    """AF 04 or 05."""
    assert {answer_code_of(code) for code in REFUSALS} == {"04", "05"}
    assert answer_code_of("41") == "05"
    assert answer_code_of("99") == "04"
