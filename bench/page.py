"""The page `docs/performance.md`, made of the results beside it in `docs/performance.json`."""

import json
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from bench.figures import Spread
from bench.measures.flame import PICTURES
from bench.results import Part, Result, Row

PAGE: Final = Path("docs/performance.md")
RESULTS: Final = Path("docs/performance.json")
#: The section about aims that are not reached, written by hand.
FLOORS: Final = Path(__file__).with_name("floors.md")

#: Characters of a line of the page's text.
WIDTH: Final = 115

_HEAD: Final = """\
# Performance

This page is made by `make bench ARGS="--write"` of the figures in [performance.json](performance.json). Each
figure is measured several times in one run, after a warm-up; whatever is compared takes turns. All processes,
the servers, the terminals and the clients share the machine's cores, so ratios and CPU times mean more than
rates. Terms are explained in [the glossary](glossary.md).

`make bench` measures everything in under 10 minutes on a quiet machine; `make bench ARGS="latency rate"`
measures parts. `make bench-quick` takes a minute.
"""


def number_text(value: float) -> str:
    """Return a number with three digits, or all those before the point."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 1 else f"{value:.{1 if value >= 10 else 2}f}"


def table(rows: Iterable[Row]) -> str:
    """Return the rows as a table of Markdown."""
    lines = ["| figure | median | min | max | ratio | aim |", "|---|---|---|---|---|---|"]
    for row in rows:
        name = f"{row.name} ({row.unit})" if row.unit else row.name
        cells = [name, *_cells(row.spread), _ratio_text(row.ratio), row.aim]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cells(spread: Spread) -> list[str]:
    return [number_text(value) for value in (spread.median, spread.least, spread.greatest)]


def _ratio_text(spread: Spread | None) -> str:
    if spread is None:
        return ""
    median, least, greatest = _cells(spread)
    return median if spread.least == spread.greatest else f"{median} ({least} to {greatest})"


def page(parts: Mapping[str, Part], results: Mapping[str, Result], pictures: Iterable[str]) -> str:
    """Return the whole page; a part without a result says how to measure it."""
    sections = [_HEAD]
    for name, part in parts.items():
        sections.append(f"## {part.title}\n{_wrapped(part.about)}")
        result = results.get(name)
        if result is None:
            sections.append(f'Not measured yet: `make bench ARGS="--write {name}"`.\n')
        else:
            sections.append(table(result.rows))
            sections.append(_wrapped(f"{result.measured_at}; {_surroundings_text(result)}."))
    sections.append(FLOORS.read_text(encoding="utf-8"))
    sections.append(_flames(list(pictures)))
    return "\n".join(sections)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False) + "\n"


def _surroundings_text(result: Result) -> str:
    return ", ".join(f"{name} {value}" for name, value in result.surroundings.items())


def _flames(pictures: list[str]) -> str:
    head = "## Where the CPU time goes\n" + _wrapped(
        "Samples of the stacks, 100 a second: at 64 callers, of the notifier worker with webhooks waiting for"
        " 100 endpoints; the width of a function is its share of the samples. Only samples on the CPU count."
    )
    if not pictures:
        return f'{head}\nNot taken yet: `make bench ARGS="--write flames"`.\n'
    shown = [f"![Flame picture of {name}](images/{PICTURES[name]})\n" for name in pictures]
    return "\n".join([head, *shown])


def read_results(path: Path) -> dict[str, Result]:
    """Return the results of a file by part; none where it does not exist."""
    if not path.exists():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    return {name: Result.from_json(result) for name, result in found.items()}


def write_results(path: Path, results: Mapping[str, Result]) -> None:
    found = {name: result.to_json() for name, result in results.items()}
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write_page(folder: Path, parts: Mapping[str, Part], new: Mapping[str, Result]) -> None:
    """Add new results to those of the repository in `folder` and write its page anew."""
    results = {**read_results(folder / RESULTS), **new}
    write_results(folder / RESULTS, {name: results[name] for name in parts if name in results})
    (folder / PAGE).write_text(page(parts, results, pictures_in(folder)), encoding="utf-8")


def pictures_in(folder: Path) -> list[str]:
    """Return the processes whose flame pictures exist."""
    return [name for name, file in PICTURES.items() if (folder / "docs/images" / file).exists()]
