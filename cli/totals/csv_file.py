"""Reader of a file of an acquirer's or a terminal's figures: sums of groups, or single transactions."""

import csv
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from shared.payment.payment import Operation
from shared.payment.reconciliation import Sum, Transaction

#: Columns by which a file of sums may group.
GROUP_COLUMNS: Final = ("day", "merchant", "terminal", "application", "operation")
_FACTS: Final = ("day", "terminal", "operation", "order_id", "authorisation_number", "card")
_AMOUNTS: Final = ("amount", "cents")
#: Euros with two decimals at most, blanks between thousands.
_EUROS: Final = re.compile(r"([0-9]{1,3}(?:[ \u00a0\u202f][0-9]{3})+|[0-9]+)(?:[.,]([0-9]{1,2}))?")


class UnreadableFile(Exception):
    """Raised for a file with wrong rows; the message has a line for each."""


@dataclass(frozen=True, slots=True)
class SumsFile:
    """The other side's sums by the file's group columns."""

    columns: tuple[str, ...]
    sums: dict[tuple[str, ...], Sum]


@dataclass(frozen=True, slots=True)
class TransactionsFile:
    """The other side's single transactions."""

    transactions: list[Transaction]


def read_file(content: bytes) -> SumsFile | TransactionsFile:
    """Return what the file says. A column `count` makes it one of sums. Raises UnreadableFile."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    header = text.partition("\n")[0]
    rows = csv.DictReader(io.StringIO(text), delimiter=";" if header.count(";") > header.count(",") else ",")
    columns = [name.strip().lower() for name in rows.fieldnames or ()]
    rows.fieldnames = columns
    is_sums = "count" in columns
    known = {*_AMOUNTS, *((*GROUP_COLUMNS, "count") if is_sums else _FACTS)}
    if len({*columns} & {*_AMOUNTS}) != 1:
        raise UnreadableFile("The first line needs one column amount (euros) or cents.")
    if unknown := [name for name in columns if name not in known]:
        raise UnreadableFile(f"Unknown columns: {', '.join(unknown)}; known: {', '.join(sorted(known))}.")
    group = tuple(name for name in columns if name in GROUP_COLUMNS)
    if is_sums and not group:
        raise UnreadableFile(f"A file of sums needs at least one of {', '.join(GROUP_COLUMNS)}.")
    return _sums(rows, group) if is_sums else _transactions(rows)


def _sums(rows: "csv.DictReader[str]", columns: tuple[str, ...]) -> SumsFile:
    file = SumsFile(columns, {})
    _each(rows, lambda row, _line: _add_sum(file, row))
    return file


def _transactions(rows: "csv.DictReader[str]") -> TransactionsFile:
    found: list[Transaction] = []
    _each(rows, lambda row, line: found.append(_transaction(row, line)))
    return TransactionsFile(found)


def _each(rows: "csv.DictReader[str]", take: Callable[[Mapping[str, str], int], None]) -> None:
    """Take each row that is not empty. Raises UnreadableFile with every bad row."""
    problems = []
    for row in rows:
        stripped = {name: (value or "").strip() for name, value in row.items() if name is not None}
        if not any(stripped.values()):
            continue
        try:
            take(stripped, rows.line_num)
        except ValueError as error:
            problems.append(f"line {rows.line_num}: {error}")
    if problems:
        raise UnreadableFile("\n".join(problems))


def _add_sum(file: SumsFile, row: Mapping[str, str]) -> None:
    group = tuple(_group_value(name, row[name]) for name in file.columns)
    if not row["count"].isdecimal():
        raise ValueError(f"count {row['count']!r} is no number")
    if group in file.sums:
        raise ValueError(f"the group {', '.join(group)} is there twice")
    file.sums[group] = Sum(int(row["count"]), _cents(row))


def _transaction(row: Mapping[str, str], line: int) -> Transaction:
    card = re.sub(r"[^0-9]", "", row.get("card", ""))
    return Transaction(
        name=f"line {line}",
        operation=_operation(row.get("operation") or Operation.DEBIT),
        cents=_cents(row),
        day=_day(row["day"]) if row.get("day") else None,
        terminal=row.get("terminal") or None,
        order_id=row.get("order_id") or None,
        authorisation_number=row.get("authorisation_number") or None,
        card_last_four=card[-4:] or None,
    )


def _group_value(name: str, text: str) -> str:
    if name == "day":
        return _day(text)
    return _operation(text) if name == "operation" else text


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError(f"day {text!r} is none like 2026-03-05") from None


def _operation(text: str) -> str:
    if text.lower() not in {*Operation}:
        raise ValueError(f"operation {text!r} is none of {', '.join(Operation)}")
    return text.lower()


def _cents(row: Mapping[str, str]) -> int:
    if "cents" in row:
        if not row["cents"].isdecimal():
            raise ValueError(f"cents {row['cents']!r} is no whole number")
        return int(row["cents"])
    found = _EUROS.fullmatch(row["amount"].removesuffix("EUR").removesuffix("\u20ac").strip())
    if found is None:
        raise ValueError(f"amount {row['amount']!r} is none like 12.50")
    return int(re.sub(r"\D", "", found[1])) * 100 + int((found[2] or "0").ljust(2, "0"))
