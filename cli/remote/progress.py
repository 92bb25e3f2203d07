"""Progress of long work on standard error, where that is a terminal; what a verb prints is left alone."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

Item = TypeVar("Item")
#: Called with the number of what is done so far.
Advance = Callable[[int], None]

#: Showing costs more than most items.
_EACH: Final = 500


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Advance]:
    """Show a bar, or a number that grows where the total is not known, until the block ends.

    A work that cannot be counted is shown by its name.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        *(() if total is None else (BarColumn(),)),
        TextColumn("{task.fields[done]}") if total is None else MofNCompleteColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task(what, total=total, done="")
        yield lambda done: bar.update(task, completed=done, done=str(done))


def counted(what: str, items: Iterable[Item]) -> Iterator[Item]:
    """Yield the items and show their number."""
    with progress(what) as advance:
        for number, item in enumerate(items, 1):
            if number % _EACH == 0:
                advance(number)
            yield item
