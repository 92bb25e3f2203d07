"""CSV as it is answered: RFC 4180 with a line of names, and nothing that a spreadsheet would calculate."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, Final

#: A text that begins so is a formula for spreadsheets; order numbers are whatever a client sent.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")

MEDIA_TYPE: Final = "text/csv; charset=utf-8"


def csv_lines(rows: Iterable[Sequence[Any]]) -> str:
    """Return lines of CSV; a text that a spreadsheet would take for a formula has an apostrophe before it."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerows([[_cell(value) for value in row] for row in rows])
    return written.getvalue().encode(errors="backslashreplace").decode()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
