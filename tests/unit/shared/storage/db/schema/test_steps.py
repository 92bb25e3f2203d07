"""Steps of migrations: what runs when, and which release runs on which schema."""

import re
from itertools import pairwise

import pytest

from shared.storage.db.schema.steps import (
    generation,
    is_too_new,
    is_too_old,
    missing_steps,
    needed,
    target,
)
from shared.storage.db.schema.version import MIGRATIONS, known_versions

#: The first release; the second adds (2) and removes (3); the third adds (4) and removes (5).
FIRST = ["1.1"]
SECOND = [*FIRST, "1.2", "2.3"]
THIRD = [*SECOND, "2.4", "3.5"]


def test_the_step_before_leaves_what_the_previous_release_uses() -> None:
    """It ends before the step that removes; that one runs when it is asked for."""
    assert target(SECOND, "1.1", after=False) == "1.2"
    assert target(SECOND, "1.2", after=False) is None
    assert target(SECOND, "1.2", after=True) == "2.3"
    assert target(SECOND, "2.3", after=False) is None


def test_a_step_after_that_was_forgotten_runs_before_the_next_release() -> None:
    """The release before the previous one has certainly no processes any more."""
    assert target(THIRD, "1.2", after=False) == "2.4"


def test_a_new_database_gets_everything_at_once() -> None:
    """Nothing runs on it."""
    assert target(THIRD, None, after=False) == "3.5"


def test_an_older_release_migrates_nothing_of_a_newer_schema() -> None:
    """So that going back to the previous image works."""
    assert target(FIRST, "1.2", after=True) is None


@pytest.mark.parametrize(
    ("release", "runs_on"),
    [(FIRST, ["1.1", "1.2"]), (SECOND, ["1.2", "2.3", "2.4"]), (THIRD, ["2.4", "3.5"])],
    ids=["first", "second", "third"],
)
def test_a_release_runs_on_its_own_schema_and_on_what_the_next_one_added(
    release: list[str], runs_on: list[str]
) -> None:
    """Never on an older one, and never where a later release has removed what it uses."""
    assert needed(release) == runs_on[0]
    fits = [found for found in THIRD if not is_too_old(release, found) and not is_too_new(release, found)]

    assert fits == runs_on


def test_what_has_not_run_is_told_apart_by_step() -> None:
    """`cloud-terminal db status` prints it."""
    assert missing_steps(THIRD, None) == (THIRD, [])
    assert missing_steps(THIRD, "1.2") == (["2.3", "2.4"], ["3.5"])
    assert missing_steps(THIRD, "2.4") == ([], ["3.5"])
    assert missing_steps(THIRD, "3.5") == ([], [])
    assert missing_steps(SECOND, "2.4") == ([], [])


def test_a_schema_that_is_none_of_ours_is_refused() -> None:
    assert is_too_new(FIRST, "9999")
    assert generation("9999") is None


def test_steps_before_only_add() -> None:
    """A dropped, renamed or narrowed column would end the previous release: that is a step after."""
    chain = known_versions()
    texts = [path.read_text() for path in (MIGRATIONS / "versions").glob("*.py")]
    scripts = {re.findall(r'^revision = "(.+)"$', text, re.MULTILINE)[0]: text for text in texts}

    assert set(chain) == set(scripts)
    for earlier, version in pairwise(chain):
        if generation(earlier) == generation(version):
            assert not re.search(r"\.(drop_|alter_|rename_)", scripts[version]), version
