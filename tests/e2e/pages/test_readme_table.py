"""The README's table 'What happens when ...': every row is shown by a test that is really run."""

import re
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from running.fleet import REPOSITORY

HEADING: Final = "## What happens when ...\n"
COLUMNS: Final = 6


@dataclass(frozen=True)
class Row:
    """One line of the table, with the test that its last cell links to: file and name."""

    cells: tuple[str, ...]
    file: str
    test: str


def table() -> list[Row]:
    section = (REPOSITORY / "README.md").read_text().split(HEADING)[1].split("\n## ")[0]
    tests = {
        reference: (file, test)
        for reference, file, test in re.findall(r'^\[([a-z-]+)\]: (\S+) "(\w+)"$', section, re.MULTILINE)
    }
    rows = []
    for line in [line for line in section.splitlines() if line.startswith("|")][2:]:
        cells = tuple(cell.strip() for cell in line.strip("|").split("|"))
        assert len(cells) == COLUMNS, line
        link = re.fullmatch(r"\[test\]\[([a-z-]+)\]", cells[-1])
        assert link is not None, line
        rows.append(Row(cells, *tests.pop(link[1])))
    assert tests == {}, "tests that no row links to"
    return rows


def is_run(test: Any) -> bool:
    """Return whether an ordinary run of the suite has the test, and not a marker leaves all of it out."""
    marks = getattr(test, "pytestmark", [])
    return not any(
        mark.name in ("full_faults", "skip")
        or (mark.name == "parametrize" and all(getattr(case, "marks", ()) for case in mark.args[1]))
        for mark in marks
    )


def test_every_row_is_shown_by_a_test_of_the_usual_run() -> None:
    """One that is left out of it by a marker would show nothing."""
    rows = table()
    assert len(rows) >= 15

    for row in rows:
        module = import_module(row.file.removesuffix(".py").replace("/", "."))
        assert is_run(getattr(module, row.test)), row


def test_every_row_says_whether_a_retry_is_safe() -> None:
    """Yes or no wherever there is an answer; one that is no 200 names its error."""
    for row in table():
        happens, status, body, safe, _, _ = row.cells
        if status == "no answer":
            assert safe == "", happens
        else:
            assert re.fullmatch(r"\d{3}(, then \d{3})?", status), happens
            assert safe in {"yes", "no"}, happens
            assert status.startswith("200") or "`" in body, happens
