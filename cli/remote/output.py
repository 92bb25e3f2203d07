"""Output of verbs that call the API: tables for people, JSON lines for scripts."""

import json
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from cli.process import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]
Rows = Annotated[int, typer.Option("--limit", "-n", min=0, help="Rows at most; 0 for all.")]
Reason = Annotated[str | None, typer.Option("--reason", help="The reason, for the audit trail.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]

Row = Mapping[str, Any]

#: A text of more characters is folded where there is no room.
_FOLDED: Final = 20
#: Blanks between two columns, and before a row's detail.
_GAP: Final = 2
_INDENT: Final = 4

#: Colours of states; what is not here has none.
_STYLES: Final = {
    "succeeded": "green",
    "in_doubt": "bold yellow",
    "in_session": "cyan",
    "queued": "cyan",
    "dead": "bold red",
    "lives, drains": "yellow",
    "none, drains": "yellow",
    "suspended": "yellow",
    "revoked": "dim",
    "expired": "dim",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its title, and the value of a row or how to make it."""

    title: str
    value: str | Callable[[Row], Any]
    align: Literal["left", "right"] = "left"
    #: An id that is copied: it is never broken while there is room elsewhere.
    is_whole: bool = False
    #: Left out where the table is wider than the terminal: the largest number first; 0 stays.
    leaves: int = 0

    def of(self, row: Row) -> str:
        """Return the text of a row."""
        found = self.value(row) if callable(self.value) else row.get(self.value)
        return shown(found)


def shown(value: Any) -> str:
    """Return a value for people; nothing for what is not known."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(shown(each) for each in value)
        case dict():
            return printable(json.dumps(value, ensure_ascii=False))
        case _:
            return printable(str(value))


def short_time(text: str | None) -> str:
    """Return an ISO 8601 time in UTC to the second, `2026-03-05 12:06:58`."""
    return "" if text is None else text[:19].replace("T", " ")


def euros(cents: int | None, currency: str = "EUR") -> str:
    """Return an amount with its currency, `12.50 EUR`."""
    return "" if cents is None else f"{bare_euros(cents)} {currency}"


def bare_euros(cents: int) -> str:
    """Return an amount of a column that names the currency, `12.50`."""
    return f"{cents // 100}.{cents % 100:02d}"


def print_rows(rows: Iterable[Row], columns: Sequence[Column], *, as_json: bool, nothing: str) -> None:
    """Print rows as a table, or each as a line of JSON as it comes; `nothing` is said where there is none."""
    if as_json:
        for row in rows:
            print(json.dumps(row, ensure_ascii=False))
        return
    found = list(rows)
    if not found:
        print(nothing)
        return
    from rich.console import Console

    console = Console(highlight=False)
    console.print(table_of(found, columns, console))


def print_with_details(
    rows: Iterable[Row],
    columns: Sequence[Column],
    detail: Callable[[Row], str],
    *,
    as_json: bool,
    nothing: str,
) -> None:
    """Print rows as `print_rows` does, in a table with a row's detail below it over the whole width."""
    found = list(rows)
    if as_json or not found:
        print_rows(found, columns, as_json=as_json, nothing=nothing)
        return
    from rich.cells import cell_len
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(highlight=False)
    titles = [column.title for column in columns]
    texts = [[column.of(row) for column in columns] for row in found]
    widths = [max(map(cell_len, column)) for column in zip(titles, *texts, strict=True)]

    def line(cells: Sequence[str], styles: Sequence[str]) -> Text:
        blanks = [width - cell_len(cell) + _GAP for width, cell in zip(widths, cells, strict=True)]
        parts = [
            (cell + " " * blank, style) for cell, blank, style in zip(cells, blanks, styles, strict=True)
        ]
        joined = Text.assemble(*parts, overflow="fold")
        joined.rstrip()
        return joined

    console.print(line(titles, ["bold"] * len(titles)))
    for row, cells in zip(found, texts, strict=True):
        console.print(line(cells, [_STYLES.get(cell, "") for cell in cells]))
        words = detail(row)
        if words:
            console.print(Padding(Text(words, overflow="fold"), (0, 0, 0, _INDENT)))


def words_of(fields: Mapping[str, Any], *, hidden: Container[str] = ()) -> str:
    """Return fields in words, `lack: other_amount; sent: CA 01, CB 1250`, without those that are `hidden`."""
    return "; ".join(
        f"{printable(name.replace('_', ' '))}: {_inner(value)}"
        for name, value in fields.items()
        if name not in hidden and value not in (None, "", [], {})
    )


def _inner(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{printable(name)} {shown(inner)}" for name, inner in value.items())
    return shown(value)


def table_of(rows: Iterable[Row], columns: Sequence[Column], console: "Console") -> "Table":
    """Return the table of rows with the columns that fit the console."""
    from rich.table import Table
    from rich.text import Text

    texts = [[column.of(row) for column in columns] for row in rows]
    kept = _that_fit(columns, texts, console.width)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for place in kept:
        column = columns[place]
        table.add_column(column.title, justify=column.align, no_wrap=column.is_whole, overflow="fold")
    for line in texts:
        table.add_row(*(Text(line[place], style=_STYLES.get(line[place], "")) for place in kept))
    return table


def _that_fit(columns: Sequence[Column], texts: Sequence[Sequence[str]], width: int) -> list[int]:
    """Return the places of the columns that are shown, so that ids are not broken."""
    from rich.cells import cell_len

    widths = [
        max(cell_len(text) for text in (column.title, *(row[place] for row in texts)))
        for place, column in enumerate(columns)
    ]
    for place, column in enumerate(columns):
        if not column.is_whole:
            widths[place] = min(widths[place], _FOLDED)
    kept = list(range(len(columns)))
    while sum(widths[place] + _GAP for place in kept) - _GAP > width:
        last = max(kept, key=lambda place: columns[place].leaves)
        if not columns[last].leaves:
            break
        kept.remove(last)
    return kept


def print_facts(facts: Mapping[str, Any], *, as_json: bool, whole: Any = None) -> None:
    """Print names and values, or `whole` (else the facts) as one line of JSON."""
    if as_json:
        print(json.dumps(dict(facts) if whole is None else whole, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        text = shown(value)
        if text:
            table.add_row(name, Text(text, style=_STYLES.get(text, "")))
    Console(highlight=False).print(table)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something that cannot be undone; without a terminal `--yes` is needed."""
    if not yes:
        typer.confirm(question, abort=True)
