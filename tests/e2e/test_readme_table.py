"""The README's table 'What happens when ...': every row is shown by a test that is really run."""

import ast
import re
from dataclasses import dataclass
from typing import Final

from running.fleet import REPOSITORY

HEADING: Final = "## What happens when ...\n"
COLUMNS: Final = 6
#: Folders of which no test is left out by an option.
USUAL: Final = ("tests/integration/", "tests/e2e/")


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


def test_every_row_is_shown_by_a_test_of_the_usual_run() -> None:
    """One in a folder that is left out of it would show nothing."""
    rows = table()
    assert len(rows) >= 15

    for row in rows:
        module = ast.parse((REPOSITORY / row.file).read_text())
        assert row.file.startswith(USUAL), row
        assert row.test in {getattr(node, "name", "") for node in module.body}, row
        assert "skip" not in ast.dump(module), row


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
