"""The README's numbers are those that were measured last, and those of the page on reliability."""

import json
import re
from typing import Any, Final

from running.fleet import REPOSITORY

from bench.__main__ import PARTS

README: Final = (REPOSITORY / "README.md").read_text()
NUMBERS: Final = README.partition("\n## Numbers\n")[2].partition("\n## ")[0]
MEASURED: Final[dict[str, Any]] = json.loads((REPOSITORY / "docs/performance.json").read_text())


def median(part: str, name: str, value: str = "spread") -> float:
    (row,) = (row for row in MEASURED[part]["rows"] if row["name"] == name)
    found: float = row[value]["median"]
    return found


def test_the_readmes_speed_is_what_was_measured_last() -> None:
    """Each figure of a benchmark, rounded as it is printed."""
    latency, ratio = median("latency", "payment"), median("latency", "payment", "ratio")
    rate, cpu = (
        median("rate", "payments, 64 callers"),
        median("rate", "CPU of a payment, all, 64 callers"),
    )
    sessions, memory = median("sessions", "open sessions"), median("sessions", "memory of the worker")

    assert f"{latency:.1f} ms in the median, {ratio:.1f} bare requests" in NUMBERS
    assert f"{rate:.0f} a second, {cpu:.1f} ms of CPU each" in NUMBERS
    assert f"{sessions:,.0f}, in {memory:.0f} MB" in NUMBERS


def test_the_readmes_faults_are_those_of_the_last_full_run() -> None:
    """The same commands with the same counts."""
    page = (REPOSITORY / "docs/explanation/reliability.md").read_text()
    ran = dict(re.findall(r"^\| `(make \w+)[^`]*` \| ([\d,]+)", page, re.MULTILINE))

    assert ran.keys() == {"make simulate", "make faults", "make hostile"}
    for command, count in ran.items():
        (row,) = (line for line in NUMBERS.splitlines() if f"`{command}" in line)
        assert f"| {count} " in row


def test_every_number_has_its_command() -> None:
    """A part of the benchmark is named as it is called."""
    rows = [line for line in NUMBERS.splitlines() if line.startswith("| ")][2:]

    assert rows
    assert [row for row in rows if not re.search(r"`make [\w-]+( \w+=\S+)*( ARGS=\"\w+\")?` \|$", row)] == []
    assert set(re.findall(r'`make bench ARGS="(\w+)"`', NUMBERS)) <= set(PARTS)
