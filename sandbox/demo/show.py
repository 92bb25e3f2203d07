"""Prints the demo: the way of each payment as a timeline, receipts, rows, and what was checked."""

import io
import math
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rich import box
from rich.columns import Columns
from rich.console import Console, Group
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from sandbox.demo import checks
from sandbox.demo.console_table import console_table
from sandbox.demo.frames import NamedField, euros
from sandbox.demo.till import Call
from sandbox.demo.timeline import Step

_WIDTH_WITHOUT_TERMINAL: Final = 110
_TIME_WIDTH: Final = 7
_ROUTE_WIDTH: Final = 21
_NUMBER_WIDTH: Final = 2
_GAP: Final = 2
_SEPARATOR: Final = " · "
_LOG_TAIL_LINES: Final = 15
_MARKS: Final = "①②③④⑤⑥⑦⑧⑨"
_COLOURS: Final = {
    "till": "bold",
    "API": "blue",
    "RabbitMQ": "yellow",
    "worker": "magenta",
    "terminal": "green",
    "database": "cyan",
    "notifier": "magenta",
    "HiPay": "bright_blue",
    "merchant": "bright_yellow",
}


class Show:
    """Everything that the demo prints on standard output."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._chapters = 0

    def chapter(self, title: str, steps: Sequence[Step], *, in_full: bool) -> None:
        """Print one timeline. `in_full`: each Concert field on a line of its own."""
        self._chapters += 1
        self._console.print()
        self._console.print(Rule(Text(f"{self._chapters}. {title}", style="bold"), align="left", style="dim"))
        ids = list(dict.fromkeys(step.payment_id for step in steps if step.payment_id))
        has_numbers = any(step.number for step in steps)
        grid = Table.grid(padding=(0, _GAP, 0, 0))
        if has_numbers:
            grid.add_column(width=_NUMBER_WIDTH, justify="right", no_wrap=True, style="bold")
        grid.add_column(width=_TIME_WIDTH, justify="right", no_wrap=True, style="dim")
        grid.add_column(width=_ROUTE_WIDTH, no_wrap=True)
        grid.add_column(overflow="fold")
        width = self._console.width - _TIME_WIDTH - _ROUTE_WIDTH - 2 * _GAP
        width -= (_NUMBER_WIDTH + _GAP) * has_numbers
        for step in steps:
            text = Text(step.text)
            if len(ids) > 1 and step.payment_id:
                text = Text.assemble((f"{_MARKS[ids.index(step.payment_id)]} ", "bold red"), text)
            told: Any = text
            if step.fields:
                told = Group(text, _field_table(step.fields) if in_full else _field_lines(step.fields, width))
            number = [step.number] if has_numbers else []
            grid.add_row(*number, f"{math.floor(step.after_ms)} ms", _route(step), told)
        self._console.print(grid)

    def receipts(self, calls: Sequence[Call]) -> None:
        """Print the customers' receipts side by side, each with its title."""
        self._heading("The customers' receipts, as the till got them")
        self._console.print(
            Columns(
                [
                    Panel(
                        Text(checks.receipt_of(call).strip()),
                        title=f"{call.order_id}, {call.body['payment']['operation']}",
                        title_align="left",
                        box=box.ROUNDED,
                        width=34,
                    )
                    for call in calls
                ]
            )
        )

    def stored(
        self, payments: Sequence[Mapping[str, Any]], event_count: int, terminals: Mapping[str, str]
    ) -> None:
        """Print the rows of `payments`."""
        self._heading(f"What is stored now: {len(payments)} payments, {event_count} events of their history")
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
        for name in ("payment", "order", "operation", "amount", "at", "state"):
            table.add_column(name, no_wrap=True, justify="right" if name == "amount" else "left")
        table.add_column("card or reason", no_wrap=True)
        for row in payments:
            reason = " ".join(filter(None, (row["error_code"], row["error_description"])))
            table.add_row(
                row["id"],
                row["order_id"],
                row["operation"],
                euros(row["amount_cents"]).removesuffix(" EUR"),
                terminals.get(row["terminal_address"], row["terminal_address"]).removeprefix("terminal "),
                Text(row["state"], style="green" if row["state"] == "succeeded" else "red"),
                reason or row["masked_card"],
            )
        self._console.print(table)

    def transactions(
        self, transactions: Sequence[Mapping[str, Any]], totals: Mapping[str, int], waiting_count: int
    ) -> None:
        """Print HiPay's Console, and how many orders are no transaction."""
        self._heading("HiPay's Console")
        self._console.print(console_table(transactions, totals))
        told = f"{waiting_count} more orders wait: A and B have no gateway to tell HiPay what became of them."
        self._console.print(Text(told, style="dim"))

    def checked(self, promises: Sequence[str]) -> None:
        """Print what was compared and held."""
        self._heading("Checked")
        self._promises(promises)

    def checked_here(self, promises: Sequence[str]) -> None:
        """Print what was compared of one chapter, and held."""
        self._console.print()
        self._promises(promises)

    def _promises(self, promises: Sequence[str]) -> None:
        for promise in promises:
            self._console.print(Text.assemble(("✓ ", "green"), promise))

    def running(self, title: str, rows: Sequence[tuple[str, str]]) -> None:
        """Print what runs, and where."""
        self._heading(title)
        grid = Table.grid(padding=(0, _GAP, 0, 0))
        grid.add_column(no_wrap=True, style="bold")
        grid.add_column(overflow="fold")
        for name, text in rows:
            grid.add_row(name, text)
        self._console.print(grid)

    def progress(self, text: str) -> None:
        """Print what is being waited for."""
        self._console.print(Text(f"{text} ...", style="dim"))

    def left_running(self, rows: Sequence[tuple[str, str]], command: str) -> None:
        """Print what one needs to go on by hand."""
        self.running("It goes on running: Ctrl-C ends all of it", rows)
        self._console.print()
        # As it is, for copying: no wrapping, no markup.
        self._console.out(command, highlight=False)

    def failure(self, message: str, logs: Sequence[tuple[str, Path]]) -> None:
        """Print what is not as it must be, and the ends of the logs."""
        self._heading("Not as expected")
        self._console.print(Text(message, style="bold red"))
        for name, log in logs:
            tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_TAIL_LINES:]
            self._console.print()
            self._console.print(Text(f"{name}: the end of its log", style="bold"))
            self._console.out("\n".join(tail) or "(it wrote nothing)", highlight=False)

    def end(self, status: int, seconds: float) -> None:
        """Print how it ended; everything is gone by then."""
        word = "Done" if status == 0 else "Ended"
        self._console.print()
        self._console.print(f"{word} after {seconds:.1f} s; every process has ended, nothing is left behind.")

    def _heading(self, title: str) -> None:
        self._console.print()
        self._console.print(Rule(Text(title, style="bold"), align="left", style="dim"))


def make_console() -> Console:
    """Return standard output; where it is no terminal, as wide as the demo's lines need."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a locale without arrows
    is_wide_enough = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(highlight=False, width=None if is_wide_enough else _WIDTH_WITHOUT_TERMINAL)


def _route(step: Step) -> Text:
    return Text.assemble(
        (step.sender, _colour(step.sender)), (" → ", "dim"), (step.receiver, _colour(step.receiver))
    )


def _colour(party: str) -> str:
    return _COLOURS.get(party.partition(" ")[0], "")


def _field_table(fields: Sequence[NamedField]) -> Table:
    grid = Table.grid(padding=(0, _GAP, 0, 0))
    grid.add_column(no_wrap=True, style="bold cyan")
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold", style="dim")
    for field in fields:
        grid.add_row(field.tag, field.said, field.meaning)
    return grid


def _field_lines(fields: Sequence[NamedField], width: int) -> Text:
    separator = Text(_SEPARATOR, style="dim")
    lines = packed([_field_text(field) for field in fields], width)
    return Text("\n").join(separator.join(line) for line in lines)


def packed(texts: Sequence[Text], width: int) -> list[list[Text]]:
    """Return the texts in lines of at most so many characters; a longer one has a line of its own."""
    lines: list[list[Text]] = []
    room = 0
    for text in texts:
        if not lines or len(text) > room:
            lines.append([])
            room = width
        lines[-1].append(text)
        room -= len(text) + len(_SEPARATOR)
    return lines


def _field_text(field: NamedField) -> Text:
    return Text.assemble((f"{field.short_name} ", "dim"), (field.tag, "bold cyan"), f" {field.said}")
