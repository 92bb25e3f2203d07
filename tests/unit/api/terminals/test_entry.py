"""Checks of a terminal's entry: every field is checked, every problem is named, nothing crashes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.terminals.csv_file import read_file
from api.terminals.entry import TerminalEntry, read_entry
from shared.concert.fields import VERSIONS
from shared.concert.profile import Profile
from shared.storage.terminals.merchants import Terminal

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=5), parts, max_size=3),
    max_leaves=8,
)
_MEMBERS = (
    "host",
    "port",
    "label",
    "shop",
    "protocol",
    "pos_number",
    "profile",
    "authorisation",
    "sole_use",
)


def read(given: Any, terminal_id: str = "till-1") -> tuple[TerminalEntry | None, list[str]]:
    entry, problems = read_entry(terminal_id, given, answer_timeout_seconds=180)
    return entry, [problem.path for problem in problems]


def test_a_host_is_enough() -> None:
    """Every other field has a default; the POS number's is in the settings."""
    entry, problems = read({"host": "127.0.0.2."})

    assert problems == []
    assert entry is not None
    assert entry.model_dump() == {
        "host": "127.0.0.2",
        "port": 8888,
        "label": "",
        "shop": "",
        "protocol": "ConcertV3.1",
        "pos_number": None,
        "authorisation": {"policy": "standard", "above_cents": None},
        "profile": Profile().to_dict(),
        "sole_use": False,
    }
    assert entry.profile.model_dump(exclude_unset=True) == {}


def test_the_protocols_are_those_of_orders() -> None:
    """A protocol of Concert more is one here, too."""
    assert {read({"host": "h", "protocol": name})[0] is None for name in VERSIONS} == {False}
    assert read({"host": "h", "protocol": "ConcertV2"})[1] == ["protocol"]


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "127.0.0.010", " h", "h:8888", "tcp://h", "::1%1"])
def test_a_host_is_read_as_an_order_reads_it(host: str) -> None:
    """A host that an order refuses is refused here; a file names the column, for blanks too."""
    assert read({"host": host}) == (None, ["host"])
    rows, errors = read_file(f"id,host\na,{host}\n".encode(), answer_timeout_seconds=180)
    assert (rows, [(error.row, error.column) for error in errors]) == ([], [(2, "host")])


def test_every_problem_is_named() -> None:
    """Not only the first one: a file of terminals is fixed in one go."""
    _, problems = read({"port": "x", "label": 7, "profile": {"receipt": "1"}, "unknown": 1}, "a b")

    assert sorted(problems) == ["host", "id", "label", "port", "profile.receipt", "unknown"]


@pytest.mark.parametrize(
    ("authorisation", "path"),
    [
        ("always", "authorisation"),
        ({}, "authorisation.policy"),
        ({"policy": "above", "above_cents": -1}, "authorisation.above_cents"),
        ({"policy": "above", "above_cents": True}, "authorisation.above_cents"),
        ({"policy": "always", "above_cents": 1}, "authorisation.above_cents"),
        ({"policy": "always", "over": 1}, "authorisation.over"),
    ],
)
def test_a_wrong_authorisation_is_named(authorisation: Any, path: str) -> None:
    """An amount belongs to `above` and to nothing else."""
    assert read({"host": "h", "authorisation": authorisation}) == (None, [path])


@pytest.mark.parametrize(
    ("seconds", "problems"),
    [(179, ["profile.terminal_time_seconds"]), (1, ["profile.terminal_time_seconds"]), (180, []), (None, [])],
)
def test_a_terminals_own_time_is_never_below_the_answer_time_out(
    seconds: int | None, problems: list[str]
) -> None:
    """A terminal may still work when we stop waiting for its answer."""
    assert read({"host": "h", "profile": {"terminal_time_seconds": seconds}})[1] == problems


@pytest.mark.parametrize("terminal_id", ["", "a b", "a/b", "é", "x" * 65, "a\n"])
def test_an_id_is_letters_digits_dots_hyphens_underscores(terminal_id: str) -> None:
    """It is part of a path."""
    assert read({"host": "h"}, terminal_id) == (None, ["id"])


@given(st.dictionaries(st.sampled_from(_MEMBERS), _json) | _json)
def test_any_json_is_an_entry_or_named_problems(given: Any) -> None:
    """Never a crash, never both."""
    entry, problems = read(given)

    assert (entry is None) == bool(problems)


@pytest.mark.parametrize(
    ("policy", "above", "asked"),
    [
        ("standard", None, [False, False, False]),
        ("always", None, [True, True, True]),
        ("above", 3000, [False, False, True]),
    ],
)
def test_a_policy_asks_for_an_authorisation(policy: str, above: int | None, asked: list[bool]) -> None:
    """`above` begins one cent above its amount."""
    terminal = Terminal("t", "h", 1, "h:1", "ConcertV3.1", "{}", "01", policy, above)

    assert [terminal.asks_authorisation(cents) for cents in (1, 3000, 3001)] == asked
