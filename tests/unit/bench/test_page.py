"""The page of the benchmark's results."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from bench.__main__ import PARTS
from bench.figures import Spread
from bench.growth.statements import statements
from bench.page import PAGE, RESULTS, number_text, page, pictures_in, read_results, table, write_page
from bench.parts import growth
from bench.results import Part, Result, Row
from bench.size import Size
from bench.system import Servers

REPOSITORY = Path(__file__).parents[3]


async def nothing(_servers: Servers, _size: Size) -> list[Row]:
    return []


TWO_PARTS = {name: Part(name.title(), f"About {name}.", nothing) for name in ("latency", "rate")}


def result(*rows: Row) -> Result:
    return Result("2026-01-02 03:04 UTC", {"cores": "2", "Python": "3.11.7"}, rows)


def written(folder: Path, new: Mapping[str, Result]) -> str:
    (folder / "docs").mkdir(exist_ok=True)
    write_page(folder, TWO_PARTS, new)
    return (folder / PAGE).read_text(encoding="utf-8")


def test_a_row_shows_median_least_greatest_ratio_and_aim() -> None:
    """The unit stands beside the figure's name; a figure without a baseline has no ratio."""
    rows = [
        Row.of("bare", "ms", [3.0, 2.0, 4.0]),
        Row.of("payment", "ms", [9.0, 8.0, 10.0], baseline=[3.0, 2.0, 4.0], aim="ratio 3.5"),
    ]

    assert table(rows) == (
        "| figure | median | min | max | ratio | aim |\n"
        "|---|---|---|---|---|---|\n"
        "| bare (ms) | 3 | 2 | 4 |  |  |\n"
        "| payment (ms) | 9 | 8 | 10 | 3 (2.50 to 4) | ratio 3.5 |\n"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.07931, "0.0793"), (1.234, "1.23"), (24.62, "24.6"), (100.4, "100"), (12345.6, "12,346")],
)
def test_a_number_has_three_digits(value: float, text: str) -> None:
    """More digits would claim what a repeated run does not show."""
    assert number_text(value) == text


def test_a_result_is_the_same_after_json() -> None:
    """The page is made of the file as well as of a run."""
    measured = result(Row.of("a", "ms", [1.0], baseline=[2.0]), Row("b", "", Spread(1, 0, 2), None, "0"))

    assert Result.from_json(json.loads(json.dumps(measured.to_json()))) == measured


def test_a_part_that_did_not_run_keeps_its_figures(tmp_path: Path) -> None:
    """Parts are measured alone; each says when and on which machine."""
    written(tmp_path, {"rate": result(Row.of("payments", "a second", [60.0]))})
    text = written(tmp_path, {"latency": result(Row.of("payment", "ms", [25.0]))})

    assert "| payments (a second) | 60 |" in text
    assert "| payment (ms) | 25 |" in text
    assert text.count("2026-01-02 03:04 UTC; cores 2, Python 3.11.7.\n") == 2
    assert list(read_results(tmp_path / RESULTS)) == ["latency", "rate"]


def test_a_part_without_figures_says_how_to_measure_it(tmp_path: Path) -> None:
    """Nothing is claimed that was not measured."""
    text = written(tmp_path, {})

    assert 'Not measured yet: `make bench ARGS="--write rate"`.' in text


def test_the_page_is_made_of_the_figures_beside_it() -> None:
    """A figure changed by hand, or a part's new text without a new page, is found."""
    made = page(PARTS, read_results(REPOSITORY / RESULTS), pictures_in(REPOSITORY))

    assert (REPOSITORY / PAGE).read_text(encoding="utf-8") == made


def test_the_statements_whose_growth_is_shown_exist() -> None:
    """A statement that gets another name is missed here, not after minutes of the benchmark."""
    assert statements().keys() >= growth.SHOWN.keys()
