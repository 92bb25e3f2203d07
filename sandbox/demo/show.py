"""Prints the demo: chapters of steps, a receipt, tables, and what was checked."""

import io
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from sandbox.demo.frames import NamedField
from sandbox.demo.meanings import PARTIES, TERMS
from sandbox.demo.steps import Step
from sandbox.pages.formats import decimal_text

#: Wider lines are hard to read.
_WIDTH: Final = 100
_WIDTH_IN_A_PIPE: Final = 80
_TIME_WIDTH: Final = 8
_ROUTE_WIDTH: Final = 19
_GAP: Final = 2
_INDENT: Final = _TIME_WIDTH + _GAP
_SUMS: Final = frozenset({"amount", "authorised", "captured"})
_COLOURS: Final = {
    "register": "bold",
    "API": "blue",
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
        self._console: Final = console
        self._chapters = 0
        self._explained: Final[set[str]] = set()

    def text(self, text: str, style: str = "") -> None:
        """Print a paragraph."""
        self._print(Text(text, style=style))

    def chapter(self, title: str, about: str) -> None:
        """Begin a chapter."""
        self._chapters += 1
        self._heading(f"{self._chapters}. {title}")
        self.text(about)
        self._print()

    def step(self, step: Step, begin_ms: int) -> None:
        """Print a step, and what its names mean where they are new. begin_ms: of its chapter."""
        after = _after(step.at_ms - begin_ms)
        if not step.sender:
            note = Text.assemble((f"{after:>{_TIME_WIDTH}}  ", "dim"), (f"* {step.text}", "bold red"))
            self._print(note)
            return
        grid = Table.grid(padding=(0, _GAP, 0, 0))
        grid.add_column(width=_TIME_WIDTH, justify="right", no_wrap=True, style="dim")
        grid.add_column(width=_ROUTE_WIDTH, no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(after, _route(step.sender, step.receiver), step.text)
        self._print(grid)
        for name in (step.sender, step.receiver):
            party = name.partition(" ")[0]
            if party in PARTIES:
                self._explain(party, f"{party}: {PARTIES[party]}")
        if step.term in TERMS:
            self._explain(step.term, TERMS[step.term])

    def waiting(self, after_ms: int) -> None:
        """Print that nothing has happened for a while."""
        self._print(Text(f"{_after(after_ms):>{_TIME_WIDTH}}  ...", style="dim"))

    def progress(self, text: str) -> None:
        """Print what is being waited for."""
        self.text(f"{text} ...", style="dim")

    def messages(self, title: str, fields: Sequence[NamedField]) -> None:
        """Print the fields of a Concert message."""
        grid = Table.grid(padding=(0, _GAP, 0, 0))
        grid.add_column(no_wrap=True, style="bold cyan")
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold", style="dim")
        for each in fields:
            grid.add_row(each.tag, each.described, each.meaning)
        self._print()
        self._indented(Text(title, style="bold"))
        self._indented(grid)

    def receipt(self, text: str) -> None:
        """Print the customer's receipt."""
        self._print()
        self._indented(
            Panel(Text(text.strip()), title="receipt", title_align="left", box=box.ROUNDED, width=34)
        )

    def payments(self, payments: Sequence[Mapping[str, Any]]) -> None:
        """Print the stored payments."""
        self._heading("What is stored now")
        table = _table("order", "operation", "amount", "state", "reason, or resolved by")
        for one in payments:
            colour = "green" if one["state"] == "succeeded" else "red"
            how = one.get("resolved_by") or one.get("reason") or ""
            state = Text(one["state"], style=colour)
            table.add_row(one["order_id"], one["operation"], decimal_text(one["amount"]), state, how)
        self._print(table)

    def transactions(self, transactions: Sequence[Mapping[str, Any]]) -> None:
        """Print HiPay's Console."""
        self._heading("HiPay's Console")
        table = _table("order", "authorised", "captured", "status")
        for one in transactions:
            table.add_row(
                one["order_id"],
                decimal_text(one["authorised_cents"]),
                decimal_text(one["captured_cents"]),
                f"{one['status']} {one['message']}",
            )
        self._print(table)

    def checked(self, promises: Sequence[str]) -> None:
        """Print what was compared, and held."""
        self._heading("Compared: what each of them recorded")
        for promise in promises:
            self._bullet(Text("✓ ", style="green"), promise)

    def next_steps(self, steps: Sequence[tuple[str, str]]) -> None:
        """Print what to do next."""
        self._heading("What to do next")
        grid = Table.grid(padding=(0, _GAP, 0, 0))
        grid.add_column(no_wrap=True, style="bold")
        grid.add_column(overflow="fold")
        for command, text in steps:
            grid.add_row(command, text)
        self._print(grid)

    def failure(self, message: str) -> None:
        """Print what is not as it must be."""
        self._heading("Not as expected")
        self.text(message, style="bold red")

    def end(self, status: int, seconds: float) -> None:
        """Print how it ended; everything is gone by then."""
        word = "Done" if status == 0 else "Ended"
        self._print()
        self.text(f"{word} after {seconds:.0f} s. Every process has ended; only .venv and .cache are left.")

    def _print(self, what: RenderableType = "") -> None:
        if self._console.is_terminal:
            self._console.print(what)
            return
        with self._console.capture() as capture:
            self._console.print(what)
        # In a file the ends of padded lines are noise.
        self._console.out("\n".join(line.rstrip() for line in capture.get().splitlines()))

    def _explain(self, name: str, meaning: str) -> None:
        if name not in self._explained:
            self._explained.add(name)
            self._indented(Text(meaning, style="italic dim"))

    def _indented(self, what: RenderableType) -> None:
        self._print(Padding(what, (0, 0, 0, _INDENT), expand=False))

    def _bullet(self, mark: Text, text: str) -> None:
        grid = Table.grid()
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(mark, text)
        self._print(grid)

    def _heading(self, title: str) -> None:
        self._print()
        self._print(Rule(Text(title, style="bold"), align="left", style="dim"))


def make_console() -> Console:
    """Return standard output at a readable width, its lines written at once."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A locale may lack arrows.
            stream.reconfigure(errors="replace", line_buffering=True)
    console = Console(highlight=False)
    console.width = min(console.width, _WIDTH) if console.is_terminal else _WIDTH_IN_A_PIPE
    return console


def _table(*names: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, no_wrap=True, justify="right" if name in _SUMS else "left")
    return table


def _after(milliseconds: int) -> str:
    return f"{milliseconds} ms" if milliseconds < 10_000 else f"{milliseconds / 1000:.1f} s"


def _route(sender: str, receiver: str) -> Text:
    if receiver == sender:
        return Text(sender, style=_colour(sender))
    return Text.assemble((sender, _colour(sender)), (" → ", "dim"), (receiver, _colour(receiver)))


def _colour(party: str) -> str:
    return _COLOURS.get(party.partition(" ")[0], "")
