"""Reader of a terminal file: CSV with a header row, as a spreadsheet writes it."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from api.http.errors import InvalidRequest
from api.terminals.entry import TerminalEntry, read_entry
from api.terminals.errors import ImportRefused
from shared.concert.profile import Profile

ROWS_AT_MOST: Final = 2_000
#: Limit of the errors that are shown: a file whose header is wrong has one in every row.
ERRORS_AT_MOST: Final = 100

_PROFILE: Final = "profile."
_NUMBERS: Final = frozenset({"port", "authorisation_above_cents", "profile.terminal_time_seconds"})
_BOOLEANS: Final = frozenset(
    {"sole_use"} | {_PROFILE + name for name, value in Profile().to_dict().items() if isinstance(value, bool)}
)
COLUMNS: Final = (
    "id",
    "label",
    "shop",
    "host",
    "port",
    "protocol",
    "pos_number",
    "authorisation",
    "authorisation_above_cents",
    "sole_use",
    *(_PROFILE + name for name in Profile().to_dict()),
)
_REQUIRED: Final = ("id", "host")
#: First characters of what a spreadsheet reads as a formula; blanks before them, tab and CR too, are ignored.
_FORMULA: Final = ("=", "+", "-", "@")


@dataclass(frozen=True, slots=True)
class RowError:
    """A problem of one cell; `row` counts as a spreadsheet does: the header is row 1."""

    row: int
    column: str
    problem: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row that can be read."""

    number: int
    terminal_id: str
    entry: TerminalEntry


def refused(errors: list[RowError]) -> ImportRefused:
    """Return the error that lists them, in the order of the file."""
    listed = sorted(errors, key=lambda error: error.row)[:ERRORS_AT_MOST]
    shown = [{"row": error.row, "column": error.column, "problem": error.problem} for error in listed]
    return ImportRefused(details={"errors": shown, "error_count": len(errors)})


def read_file(body: bytes, *, answer_timeout_seconds: float) -> tuple[list[Row], list[RowError]]:
    """Return the rows that can be read, and the errors of the others.

    Comma or semicolon, UTF-8, with or without a byte order mark; empty cells and rows count as left out.
    Raises ImportRefused where no row can be read.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise refused([RowError(1, "", "the file is not UTF-8")]) from None
    if "\0" in text:
        raise refused([RowError(1, "", "the file contains U+0000")])
    header, records = _records(text)
    rows: list[Row] = []
    errors: list[RowError] = []
    seen: dict[str, int] = {}
    for number, cells in records:
        if number - 1 > ROWS_AT_MOST:
            raise refused([RowError(number, "", f"a file has at most {ROWS_AT_MOST} rows")])
        if len(cells) > len(header):
            errors.append(RowError(number, "", f"has {len(cells)} cells, the header has {len(header)}"))
            continue
        filled = {
            # A blank in a host is refused, as everywhere; a spreadsheet shows the cell.
            name: cell if name == "host" else cell.strip()
            for name, cell in zip(header, cells, strict=False)
            if cell.strip()
        }
        formulas = [name for name, cell in filled.items() if cell.lstrip().startswith(_FORMULA)]
        errors += [RowError(number, name, "begins like a formula: =, +, - or @") for name in formulas]
        terminal_id = filled.pop("id", "")
        entry, problems = read_entry(
            terminal_id, _fields(filled), answer_timeout_seconds=answer_timeout_seconds
        )
        errors += [RowError(number, _column(problem), problem.message) for problem in problems]
        if terminal_id and terminal_id in seen:
            errors.append(RowError(number, "id", f"is in row {seen[terminal_id]}, too"))
        seen.setdefault(terminal_id, number)
        if entry is not None and not formulas:
            rows.append(Row(number, terminal_id, entry))
    if not rows and not errors:
        raise refused([RowError(1, "", "the file has no rows")])
    return rows, errors


def _records(text: str) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    first, _, _ = text.partition("\n")
    delimiter = ";" if first.count(";") > first.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in _without_empty_end(next(reader, []))]
    except csv.Error as error:
        raise refused([RowError(1, "", f"the header is no CSV: {error}")]) from None
    errors = [RowError(1, name, "is no column of a terminal file") for name in header if name not in COLUMNS]
    errors += [RowError(1, name, "is there twice") for name, count in Counter(header).items() if count > 1]
    errors += [RowError(1, name, "is missing") for name in _REQUIRED if name not in header]
    if errors:
        raise refused(errors)
    return header, _numbered(reader)


def _numbered(reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    number = 1
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise refused([RowError(number, "", f"is no CSV: {error}")]) from None
        if filled := _without_empty_end(cells):
            yield number, filled


def _without_empty_end(cells: list[str]) -> list[str]:
    """Return the cells without the empty ones that a spreadsheet adds up to its longest row."""
    filled = len(cells)
    while filled and not cells[filled - 1].strip():
        filled -= 1
    return cells[:filled]


def _fields(filled: dict[str, str]) -> dict[str, Any]:
    """Return a row's cells as the fields of a JSON request."""
    fields: dict[str, Any] = {}
    profile: dict[str, Any] = {}
    authorisation: dict[str, Any] = {}
    for column, cell in filled.items():
        value = _value(column, cell)
        if column.startswith(_PROFILE):
            profile[column.removeprefix(_PROFILE)] = value
        elif column == "authorisation":
            authorisation["policy"] = value
        elif column == "authorisation_above_cents":
            authorisation["above_cents"] = value
        else:
            fields[column] = value
    if profile:
        fields["profile"] = profile
    if authorisation:
        fields["authorisation"] = {"policy": "standard", **authorisation}
    return fields


def _value(column: str, cell: str) -> Any:
    """Return the cell's value; a cell that has none stays a text, which its field's check refuses."""
    if column in _NUMBERS:
        return int(cell) if cell.isascii() and cell.isdecimal() and len(cell) <= 15 else cell
    if column in _BOOLEANS:
        return {"true": True, "false": False}.get(cell.lower(), cell)
    if column == "profile.request_ends_with":
        return {"CRLF": "\r\n", "NONE": ""}.get(cell.upper(), cell)
    # Spreadsheets remove the zero of 01.
    return cell.zfill(2) if column == "pos_number" else cell


def _column(problem: InvalidRequest) -> str:
    return {
        "authorisation.policy": "authorisation",
        "authorisation.above_cents": "authorisation_above_cents",
    }.get(problem.path, problem.path)
